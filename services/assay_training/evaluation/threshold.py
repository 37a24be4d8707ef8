"""The decision threshold of a binary model, chosen out of fold for a wanted recall or precision."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from assay_training.data.target import Target
from assay_training.errors import JobError
from assay_training.evaluation.metrics import Predicted
from assay_training.spec import Threshold


def decided(wanted: Threshold | None, target: Target, out_of_fold: Predicted) -> Target:
    """The target with the threshold that `wanted` asks for.

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
    hits = target.values == target.positive
    return target._replace(threshold=_best(wanted, hits, out_of_fold.probabilities[:, target.positive]))


def _best(wanted: Threshold, hits: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    precision, recall, thresholds = precision_recall_curve(hits, scores)
    curves = {"recall": recall[:-1], "precision": precision[:-1]}
    held = curves[wanted.prefer]
    sought = curves["precision" if wanted.prefer == "recall" else "recall"]
    reached = held >= wanted.at_least
    if not reached.any():
        raise JobError(
            "ThresholdUnreachable",
            f"training.threshold wants {wanted.prefer} of at least {wanted.at_least:g}, out of fold at most "
            f"{held.max():.4g} is reached: ask for less, or give better features",
        )
    return float(thresholds[np.where(reached, sought, -1.0).argmax()])
