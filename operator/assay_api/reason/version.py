"""Reasons of a ModelVersion: how it was made and judged, and whether it answers."""

from collections.abc import Mapping

from assay_api.reason.documented import Documented, info, notice, on, warning
from assay_api.reason.word import Reason

_MADE = (*on("ModelVersion", "Ready", "Progressing"), *on("Model", "Progressing"))
_GIVEN = on("ModelVersion", "Ready", "Progressing")
_ENDED = (*_GIVEN, *on("ModelVersion", "Degraded"), *on("Model", "Progressing", "Degraded"))
_ANSWERS = on("ModelVersion", "Available")
_STARTS = (*_ANSWERS, *on("ModelVersion", "Progressing"), *on("Model", "Progressing"))
_STUCK = (*on("ModelVersion", "Progressing", "Degraded"), *on("Model", "Progressing", "Degraded"))
_FOUND = on("ModelVersion", "findings")

VERSION: Mapping[Reason, Documented] = {
    Reason.TRAINING: info(_MADE, "The training Job is at work, or is being started."),
    Reason.TUNING: info(_MADE, "The training Job searches for parameters; the message counts its trials."),
    Reason.FITTING: info(_MADE, "The training Job fits the chosen model, and measures the gates."),
    Reason.JUDGING: info(
        _MADE, "A Job measures the gates of an artifact or an image on the rows of `evaluation`."
    ),
    Reason.IMAGE_GIVEN: info(_GIVEN, "The version is an image, and there are no gates to pass."),
    Reason.ARTIFACT_GIVEN: info(_GIVEN, "The version is an artifact, and there are no gates to pass."),
    Reason.GATES_PASSED: notice(_GIVEN, "The version was made and passed every gate; it may serve."),
    Reason.GATE_FAILED: warning(
        _ENDED,
        "The version missed a gate and gets no traffic; the champion serves on.",
        "Read `status.gates`; `assay card` shows the whole version.",
    ),
    Reason.SUPERSEDED: notice(
        _GIVEN, "The Model's spec asked for another version before this one was made; its training was ended."
    ),
    Reason.DATA_VALID: info(on("ModelVersion", "DataValid"), "The data keeps its contract."),
    Reason.FIT_AS_EXPECTED: info(
        on("ModelVersion", "Overfitting", "Underfitting"),
        "The gap of training and validation is within its range.",
    ),
    Reason.OVERFITTING: notice(
        (*on("ModelVersion", "Overfitting"), *_FOUND),
        "The model is much better on rows that it was fitted on than on others.",
        "Simplify the model, or give more rows.",
    ),
    Reason.UNDERFITTING: notice(
        (*on("ModelVersion", "Underfitting"), *_FOUND),
        "The model is hardly better than a constant answer.",
        "Give better features.",
    ),
    Reason.ACCURACY_ON_IMBALANCE: info(
        _FOUND,
        "Accuracy is measured where one class is rare, so naming the frequent class always looks good.",
        "Prefer prAuc, recall or balancedAccuracy.",
    ),
    Reason.NEAR_LEAK: notice(
        _FOUND,
        "One column alone tells nearly all of the target: a copy of it, or known only after the fact.",
        "Leave it out of `training.features`, unless it is known when predictions are asked for.",
    ),
    Reason.CONTRACT_LOST: info(
        _FOUND,
        "The version before cannot be read, so its data contract was not compared.",
        "Check the artifact store if you rely on the contract.",
    ),
    Reason.ANSWERING: info(_ANSWERS, "At least one pod is ready."),
    Reason.STARTING: info(_STARTS, "Its pods are starting."),
    Reason.SCALED_TO_ZERO: info(_ANSWERS, "Nobody needs it any more, so it has no pods."),
    Reason.POD_TROUBLE: warning(
        (*_ANSWERS, *on("ModelVersion", "Degraded"), *on("Model", "Degraded")),
        "Something keeps its pods from running; the message is Kubernetes' own.",
        "`kubectl describe pod` of the pod; often its image, its resources or the node.",
    ),
    Reason.VERSION_CANNOT_START: warning(
        _STUCK,
        "The version that the spec asks for does not start, and has been tried for long enough.",
        "Mend what the message names, then change the spec or `assay retrain`.",
    ),
}
