"""The decision threshold of a binary model, chosen out of fold for a wanted recall or precision.

Recall is a share of all positive rows, so every threshold has the same support. Precision is a share of the
rows above the threshold, of which there may be one: there a lower bound must reach what is wanted, and it
holds for all thresholds at once, because the best of them is taken. On the test rows the promise is a gate.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from assay_training.data.target import Target
from assay_training.errors import JobError
from assay_training.evaluation.gates import Verdict
from assay_training.evaluation.metrics import Context, Predicted
from assay_training.spec import Threshold

SURE = 0.95  # of the lower bound of a precision
REFUTED = 0.99  # level at which test rows contradict the threshold


class Curve(NamedTuple):
    """What each threshold does, by ascending threshold.

    Attributes:
        thresholds: Each score that some row has.
        hits: Positive rows at or above it.
        chosen: Rows at or above it.
        positives: All positive rows.
    """

    thresholds: NDArray[np.float64]
    hits: NDArray[np.int64]
    chosen: NDArray[np.int64]
    positives: int

    @property
    def precision(self) -> NDArray[np.float64]:
        """Part of the rows above that is positive."""
        return self.hits / self.chosen

    @property
    def recall(self) -> NDArray[np.float64]:
        """Part of the positive rows that is above."""
        return self.hits / max(self.positives, 1)

    def within(self, low: float, high: float) -> "Curve":
        """Return the thresholds from `low` to `high`."""
        kept = (self.thresholds >= low) & (self.thresholds <= high)
        return self._replace(thresholds=self.thresholds[kept], hits=self.hits[kept], chosen=self.chosen[kept])

    def supports(self, precision: float) -> NDArray[np.bool_]:
        """Whether the lower bound of the precision reaches this one, of all thresholds at once.

        The likelihood of the hits, averaged over a Beta(1/2, 1/2) prior, against that of `precision`: a
        martingale in the rows by falling score, if they were as precise as that at most.
        """
        misses = self.chosen - self.hits
        mixture = special.betaln(0.5 + self.hits, 0.5 + misses) - special.betaln(0.5, 0.5)
        likelihood = special.xlogy(self.hits, precision) + special.xlog1py(misses, -precision)
        supported: NDArray[np.bool_] = (self.precision >= precision) & (
            mixture - likelihood >= -np.log1p(-SURE)
        )
        return supported


def decided(wanted: Threshold | None, target: Target, out_of_fold: Predicted) -> Target:
    """The target with the threshold that `wanted` asks for, inside the neutral band if there is one.

    Of those that reach the wanted recall, the one of the highest precision is taken; and the reverse.

    Raises:
        JobError: The target has not two classes, or no threshold reaches what is wanted.
    """
    if wanted is None:
        return target
    if target.positive is None or out_of_fold.probabilities is None:
        raise JobError(
            "MetricUnfit", f"training.threshold needs two classes, the target is {target.kind.lower()}"
        )
    whole = curve(target.values == target.positive, out_of_fold.probabilities[:, target.positive])
    band = target.neutral or (0.0, 1.0)
    return target._replace(threshold=_best(wanted, whole, whole.within(*band), band))


def curve(hits: NDArray[np.bool_], scores: NDArray[np.float64]) -> Curve:
    """Count, for each score, the rows that are at or above it."""
    thresholds, position = np.unique(scores, return_inverse=True)
    chosen = np.bincount(position)[::-1].cumsum()[::-1]
    positive = np.bincount(position, weights=hits).astype(np.int64)[::-1].cumsum()[::-1]
    return Curve(thresholds, positive, chosen, int(hits.sum()))


def _best(wanted: Threshold, whole: Curve, inside: Curve, band: tuple[float, float]) -> float:
    reached = _reached(wanted, inside)
    if not reached.any():
        raise JobError("ThresholdUnreachable", _out_of_reach(wanted, whole, band))
    sought = inside.precision if wanted.prefer == "recall" else inside.recall
    return float(inside.thresholds[np.where(reached, sought, -1.0).argmax()])


def _reached(wanted: Threshold, among: Curve) -> NDArray[np.bool_]:
    if wanted.prefer == "precision":
        return among.supports(wanted.at_least)
    reached: NDArray[np.bool_] = among.recall >= wanted.at_least
    return reached


def _out_of_reach(wanted: Threshold, whole: Curve, band: tuple[float, float]) -> str:
    request = f"training.threshold wants {wanted.prefer} of at least {wanted.at_least:g}"
    if _reached(wanted, whole).any():
        low, high = band
        return (
            f"{request}, reached only by thresholds outside of training.neutral, {low:g} to {high:g}: "
            "move the band, so that the threshold is in it"
        )
    held = whole.precision if wanted.prefer == "precision" else whole.recall
    best = int(held.argmax())
    found = f"{request}, out of fold at most {held[best]:.4g} is reached"
    if held[best] < wanted.at_least:
        return f"{found}: ask for less, or give better features"
    return (
        f"{found} on {whole.chosen[best]} rows, and nowhere on so many that it is sure "
        f"({SURE:.0%} confidence): ask for less, or give more rows or better features"
    )


def promise(wanted: Threshold | None, judged: Context) -> Iterator[Verdict]:
    """The threshold's promise as a gate: test rows must not contradict it, and some must be positive by it.

    Args:
        wanted: What was request for; without it nothing is promised.
        judged: The test rows, with the threshold.
    """
    if wanted is None or judged.target.threshold is None:
        return
    above = judged.score >= judged.target.threshold
    among = above if wanted.prefer == "precision" else judged.hit
    hits, rows = int((above & judged.hit).sum()), int(among.sum())
    value = hits / rows if rows else 0.0
    most = float(stats.beta.ppf(REFUTED, hits + 1, rows - hits)) if hits < rows else 1.0
    passed = bool(above.any()) and most >= wanted.at_least
    message = f"{wanted.prefer} {value:.4g} on {rows} test rows, {REFUTED:.0%} sure to be at most {most:.4g}"
    if not above.any():
        message = f"no test row reaches the threshold {judged.target.threshold:.4g}"
    yield Verdict(wanted.prefer, f"threshold {wanted.at_least:g}", value, message, passed)
