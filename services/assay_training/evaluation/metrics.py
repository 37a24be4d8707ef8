"""How good predictions are, under the names of the field; a metric that does not fit the target is refused.

Averages over more than two classes are macro averages: each class counts the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as skm

from assay_training.data.target import Target
from assay_training.errors import JobError

CALIBRATION_BINS = 10
LEAST = np.finfo(np.float64).eps  # of a probability whose logarithm is taken
Floats = NDArray[np.float64]


class Predicted(NamedTuple):
    """What a model says of some rows.

    Attributes:
        labels: Position of the class of each row; None for a regression.
        probabilities: (rows, classes); None for a regression.
        values: One number for each row; None for a classification.
    """

    labels: NDArray[np.int64] | None
    probabilities: Floats | None
    values: Floats | None

    @property
    def numbers(self) -> Floats:
        """Probabilities, or the values of a regression."""
        found = self.values if self.probabilities is None else self.probabilities
        assert found is not None
        return found

    def at(self, rows: NDArray[Any]) -> "Predicted":
        """Return the answers for some rows: a mask or positions."""
        return Predicted(*(None if part is None else part[rows] for part in self))


class Context(NamedTuple):
    """What a metric may look at: the truth and the answers for the same rows."""

    target: Target
    predicted: Predicted

    @property
    def truth(self) -> NDArray[Any]:
        """Positions of classes, or numbers."""
        return self.target.values

    def at(self, rows: NDArray[Any]) -> "Context":
        """Return the same for some rows: a mask or positions."""
        return Context(self.target.at(rows), self.predicted.at(rows))

    @property
    def hit(self) -> NDArray[np.bool_]:
        """Whether the truth is the positive class, of two."""
        positive: NDArray[np.bool_] = self.truth == self.target.positive
        return positive

    @property
    def score(self) -> Floats:
        """The probability of the positive class, of two."""
        assert self.predicted.probabilities is not None
        return self.predicted.probabilities[:, self.target.positive]


Measure = Callable[[Context], float]
BINARY, CLASSES, NUMBERS = (
    frozenset({"Binary"}),
    frozenset({"Binary", "Multiclass"}),
    frozenset({"Regression"}),
)


@dataclass(frozen=True)
class Metric:
    """One measure of quality.

    Attributes:
        name: As in the spec and in every report.
        kinds: The kinds of target that it fits.
        better: Which values are better.
        measure: The computation.
        neutral: Whether it is about a band in which the model abstains.
    """

    name: str
    kinds: frozenset[str]
    better: Literal["higher", "lower"]
    measure: Measure
    neutral: bool = False

    def fits(self, target: Target) -> bool:
        """Tell whether it says anything about this target."""
        return target.kind in self.kinds and (target.neutral is not None or not self.neutral)

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        return self.better == "higher"


def _roc_auc(context: Context) -> float:
    if context.target.kind == "Binary":
        return _rank_sum(context.hit, context.score)
    labels = np.arange(len(context.target.classes or ()))
    return float(
        skm.roc_auc_score(context.truth, context.predicted.probabilities, multi_class="ovr", labels=labels)
    )


def _rank_sum(hit: NDArray[np.bool_], score: Floats) -> float:
    """Area under the ROC curve by the Mann-Whitney statistic: resamples ask for it hundreds of times."""
    order = np.sort(score)
    yes, no = int(hit.sum()), int((~hit).sum())
    if not yes or not no:
        return np.nan
    hits = np.sort(score[hit])  # in order, as then each search ends where the one before did
    low, high = np.searchsorted(order, hits, "left"), np.searchsorted(order, hits, "right")
    ranks = (low.sum(dtype=np.float64) + high.sum(dtype=np.float64) + yes) / 2
    return float((ranks - yes * (yes + 1) / 2) / (yes * no))


def _calibration_error(context: Context) -> float:
    """Expected calibration error: the mean distance of confidence and hit rate over ten equal bins."""
    probabilities = context.predicted.probabilities
    assert probabilities is not None
    if context.target.kind == "Binary":
        confidence, hits = context.score, context.hit
    else:
        confidence, hits = probabilities.max(axis=1), context.truth == probabilities.argmax(axis=1)
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    gaps = np.bincount(bins, weights=hits - confidence, minlength=CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def _log_loss(context: Context) -> float:
    assert context.predicted.probabilities is not None
    own = context.predicted.probabilities[np.arange(len(context.truth)), context.truth]
    return float(-np.log(np.clip(own, LEAST, 1)).mean())


def _decided(context: Context) -> NDArray[np.bool_]:
    """Rows for which the model does not abstain."""
    low, high = context.target.neutral or (1.0, 0.0)
    outside: NDArray[np.bool_] = (context.score < low) | (context.score >= high)
    return outside


def _decided_accuracy(context: Context) -> float:
    outside = _decided(context)
    assert context.predicted.labels is not None
    return float((context.predicted.labels == context.truth)[outside].mean()) if outside.any() else np.nan


class _Counts(NamedTuple):
    """How many rows have each pair of truth and label: all that scikit-learn's metrics of labels look at."""

    truth: NDArray[np.int64]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]


def _counts(context: Context) -> _Counts:
    assert context.predicted.labels is not None
    classes = len(context.target.classes or ())
    rows = np.bincount(context.truth.astype(np.int64) * classes + context.predicted.labels)
    pairs = np.flatnonzero(rows)
    return _Counts(pairs // classes, pairs % classes, rows[pairs])


def _labelled(function: Callable[..., float]) -> Measure:
    def measure(context: Context) -> float:
        truth, labels, rows = _counts(context)
        return float(function(truth, labels, sample_weight=rows))

    return measure


def _averaged(function: Callable[..., float], **options: Any) -> Measure:
    def measure(context: Context) -> float:
        if context.target.kind == "Binary":
            chosen = {"pos_label": context.target.positive, "average": "binary"}
        else:
            chosen = {"average": "macro"}
        truth, labels, rows = _counts(context)
        return float(function(truth, labels, sample_weight=rows, zero_division=0, **chosen, **options))

    return measure


def _valued(function: Callable[..., float]) -> Measure:
    return lambda context: float(function(context.truth, context.predicted.values))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rocAuc", CLASSES, "higher", _roc_auc),
        Metric(
            "prAuc",
            BINARY,
            "higher",
            lambda context: float(skm.average_precision_score(context.hit, context.score)),
        ),
        Metric("logLoss", CLASSES, "lower", _log_loss),
        Metric("brier", BINARY, "lower", lambda context: float(np.mean((context.score - context.hit) ** 2))),
        Metric("accuracy", CLASSES, "higher", _labelled(skm.accuracy_score)),
        Metric("balancedAccuracy", CLASSES, "higher", _labelled(skm.balanced_accuracy_score)),
        Metric("precision", CLASSES, "higher", _averaged(skm.precision_score)),
        Metric("recall", CLASSES, "higher", _averaged(skm.recall_score)),
        Metric("f1", CLASSES, "higher", _averaged(skm.f1_score)),
        Metric("f2", CLASSES, "higher", _averaged(skm.fbeta_score, beta=2)),
        Metric("calibrationError", CLASSES, "lower", _calibration_error),
        Metric("mcc", CLASSES, "higher", _labelled(skm.matthews_corrcoef)),
        Metric("coverage", BINARY, "higher", lambda context: float(_decided(context).mean()), neutral=True),
        Metric("decidedAccuracy", BINARY, "higher", _decided_accuracy, neutral=True),
        Metric("rmse", NUMBERS, "lower", _valued(skm.root_mean_squared_error)),
        Metric("mae", NUMBERS, "lower", _valued(skm.mean_absolute_error)),
        Metric("mape", NUMBERS, "lower", _valued(skm.mean_absolute_percentage_error)),
        Metric("medianAbsoluteError", NUMBERS, "lower", _valued(skm.median_absolute_error)),
        Metric("pinball10", NUMBERS, "lower", _valued(partial(skm.mean_pinball_loss, alpha=0.1))),
        Metric("pinball90", NUMBERS, "lower", _valued(partial(skm.mean_pinball_loss, alpha=0.9))),
        Metric("r2", NUMBERS, "higher", _valued(skm.r2_score)),
    )
}

SERVING = ("artifactBytes", "latencyMs")  # gates only: size of the files, 95th percentile of one row's answer
CHOOSERS = {"Binary": "rocAuc", "Multiclass": "logLoss", "Regression": "rmse"}


def fitting(name: str, target: Target, field: str) -> Metric:
    """The metric called `name`, which must fit the target.

    Raises:
        JobError: There is none, or it doesn't fit.
    """
    fits = sorted(metric.name for metric in METRICS.values() if metric.fits(target))
    if name not in METRICS:
        raise JobError(
            "MetricUnfit", f"{field} names an unknown metric {name!r}; known here: {', '.join(fits)}"
        )
    if name not in fits:
        raise JobError(
            "MetricUnfit",
            f"{field} {name!r} doesn't fit a {target.kind.lower()} target; these do: {', '.join(fits)}",
        )
    return METRICS[name]


def measured(context: Context, names: Iterable[str] = METRICS) -> dict[str, float]:
    """All metrics among `names` that fit the target, by name."""
    fits = [METRICS[name] for name in names if METRICS[name].fits(context.target)]
    return {metric.name: metric.measure(context) for metric in fits}
