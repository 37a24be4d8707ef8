"""Reasons that a training Job reports: it cannot go on, and only a change of spec or data helps."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, on, warning
from assay_api.reason.word import Reason

_ENDED = (*on("ModelVersion", "Ready", "Progressing", "Degraded"), *on("Model", "Progressing", "Degraded"))
_DATA = (*on("ModelVersion", "DataValid"), *_ENDED)
_MEND_DATA = "Mend the data or the spec as the message says, then `assay retrain`."


def _of_data(meaning: str, action: str = _MEND_DATA) -> Documented:
    return warning(_DATA, meaning, action)


def _of_training(meaning: str, action: str) -> Documented:
    return warning(_ENDED, meaning, action)


DATA_FAULTS: Mapping[Reason, Documented] = {
    Reason.COLUMN_ALL_NULL: _of_data("A column has no value in any row."),
    Reason.COLUMN_MISSING: _of_data("A column that the spec names is not in the data."),
    Reason.COLUMN_MISTYPED: _of_data("A column holds values of another type than it is used as."),
    Reason.CONTRACT_VIOLATED: _of_data("The data breaks the contract of the spec, or of the version before."),
    Reason.DATA_ACCESS_DENIED: _of_data(
        "The store or the database refuses access.",
        "Check the Secret that the spec names, and its permissions.",
    ),
    Reason.DATA_EMPTY: _of_data("There are no rows."),
    Reason.DATA_NOT_FOUND: _of_data("The URI matches no file, or the database is not there."),
    Reason.DATA_UNREADABLE: _of_data("The file or the answer of the database cannot be read."),
    Reason.FEATURE_UNFIT: _of_data("A feature cannot be used as the spec asks."),
    Reason.KEY_NOT_UNIQUE: _of_data("Several rows have the same key."),
    Reason.KEY_NULL: _of_data("A row has no key."),
    Reason.TARGET_CONSTANT: _of_data("The target has the same value in every row."),
    Reason.TARGET_LEAKS: _of_data("A feature gives the target away."),
    Reason.TARGET_NULL: _of_data("The target has no value in some rows."),
    Reason.TARGET_UNFIT: _of_data("The target does not suit the task."),
    Reason.TOO_FEW_ROWS: _of_data("There are too few rows to train, validate and test."),
    Reason.TOO_MANY_CATEGORIES: _of_data("A column of categories has too many of them."),
}

TRAINING: Mapping[Reason, Documented] = {
    Reason.ALGORITHM_UNFIT: _of_training(
        "An algorithm or an option does not suit the task.",
        "Choose another one; the message lists those that fit.",
    ),
    Reason.ARTIFACT_FAILED: _of_training(
        "The fitted model cannot be written.", "Use another `training.format`, or mend the estimator."
    ),
    Reason.CHAMPION_UNREADABLE: _of_training(
        "The champion, against which a gate compares, cannot be read or asked.",
        "Check the artifact store, or the champion's image.",
    ),
    Reason.INFRA_CHECK_FAILED: _of_training(
        "The stored version answers otherwise than the fitted one, or not at all.",
        "Read the message; for an image of your own, check its answers.",
    ),
    Reason.METRIC_UNFIT: _of_training(
        "A metric of a gate does not suit the task or the model.", "Choose one that the message lists."
    ),
    Reason.PARITY_FAILED: _of_training(
        "The ONNX graph answers otherwise than the fitted model.", "Use `training.format: Auto` or `Skops`."
    ),
    Reason.STUDY_UNREACHABLE: _of_training(
        "The database of `tuning.storage` cannot be used.", "Check its Secret and that it is up."
    ),
    Reason.THRESHOLD_UNREACHABLE: _of_training(
        "No threshold meets what `training.threshold` asks for.", "Ask for less, or give better features."
    ),
    Reason.TRAINING_FAILED: _of_training(
        "The training ended without a report, or with an error that nobody expected.",
        "Read the log of the training pod; often memory. Then `assay retrain`.",
    ),
    Reason.TRIALS_FAILED: _of_training(
        "No trial finished.",
        "Read the message; raise `tuning.timeout` or `tuning.trials`, or narrow the space.",
    ),
}
