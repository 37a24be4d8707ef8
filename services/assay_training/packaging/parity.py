"""Does a conversion answer as the original does? On held-out rows, and rows with nulls and new categories."""

from typing import NamedTuple

import numpy as np
import pandas

from assay_artifact import Prediction, Predictor
from assay_training.data.columns import Inputs

TOLERANCE = 1e-5
HELD_OUT, STRESSED = 5_000, 20
UNSEEN = "\x00 a category that nobody has"


class Parity(NamedTuple):
    """How far two predictors are apart.

    Attributes:
        rows: How many rows were asked.
        worst: Largest difference of a probability, or of a value in relation to the largest value.
        flips: Rows with another label.
        reason: Why there was nothing to compare.
    """

    rows: int = 0
    worst: float = 0.0
    flips: int = 0
    reason: str = ""

    @property
    def holds(self) -> bool:
        """Whether the one may stand for the other."""
        return not self.reason and self.flips == 0 and self.worst < TOLERANCE


def compared(original: Predictor, conversion: Predictor, frame: pandas.DataFrame) -> Parity:
    """Ask both the same rows."""
    ours, theirs = original.predict(frame), conversion.predict(frame)
    scale = 1.0 if ours.values is None else max(1e-30, float(np.abs(ours.values).max()))
    worst = float(np.abs(numbers(ours) - numbers(theirs)).max()) / scale
    flips = 0 if ours.labels is None or theirs.labels is None else int((ours.labels != theirs.labels).sum())
    return Parity(len(frame), worst, flips)


def numbers(answer: Prediction) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Probabilities, or the values of a regression."""
    found = answer.values if answer.probabilities is None else answer.probabilities
    assert found is not None
    return found


def questions(frame: pandas.DataFrame, inputs: Inputs) -> pandas.DataFrame:
    """Held-out rows, then some of them again with each feature null, and with each category unseen."""
    few = frame.head(STRESSED)
    nulls = [few.assign(**{each.name: np.nan}) for each in inputs.features]
    unseen = [few.assign(**{name: UNSEEN}) for name in inputs.categorical]
    return pandas.concat([frame.head(HELD_OUT), *nulls, *unseen], ignore_index=True)
