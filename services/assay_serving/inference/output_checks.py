"""What a model answers must be an answer: one for each row, finite, and probabilities that are some."""

import math

import numpy as np

from assay_artifact import Prediction
from assay_artifact.table import Floats
from assay_serving.problems import Problem

SUM_TOLERANCE = 1e-3  # how far from 1 probabilities may add up: float16 with some classes
BELOW_ZERO = -1e-6  # what float32 makes of a zero
FEW = 8  # rows for which a loop is cheaper than numpy


def check_shape(prediction: Prediction, rows: int, classes: int) -> None:
    """Take an answer of `rows` rows, and of `classes` classes where it has probabilities.

    Raises:
        Problem: 500; there are more or fewer, and whose they are nobody can tell.
    """
    for part in prediction:
        if part is not None and len(part) != rows:
            raise _bad(f"{len(part)} answers for {rows} rows")
    if len(prediction) != rows:
        raise _bad(f"no answer for {rows} rows")
    shares = prediction.probabilities
    if shares is not None and shares.shape[1:] != (classes,):
        raise _bad(f"probabilities of shape {shares.shape} for {rows} rows and {classes} classes")


def check_values(prediction: Prediction) -> None:
    """Take numbers that can be true.

    Raises:
        Problem: 500 with the row; a value or a probability is none.
    """
    _, probabilities, values, distribution = prediction
    if probabilities is not None:
        _check_shares(probabilities, "probabilities")
    if values is not None:
        _check_finite(values)
    if distribution is not None:
        _check_shares(distribution, "shares of the bins")


def _check_shares(shares: Floats, what: str) -> None:
    if len(shares) > FEW:
        with np.errstate(invalid="ignore"):
            totals = shares.dot(np.ones(shares.shape[1], shares.dtype))  # an axis of two is slow to sum
        if abs(totals.max() - 1) <= SUM_TOLERANCE >= abs(totals.min() - 1) and shares.min() >= BELOW_ZERO:
            return
    for row, numbers in enumerate(shares.tolist()):
        total, least = sum(numbers), min(numbers, default=0.0)
        if not (abs(total - 1) <= SUM_TOLERANCE and least >= BELOW_ZERO):  # of a NaN neither is true
            raise _bad(f"the {what} add up to {total:.6g}, the least is {least:.6g}", row)


def _check_finite(values: Floats) -> None:
    if len(values) > FEW and np.isfinite(values).all():
        return
    for row, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            raise _bad(f"the value is {value}", row)


def _bad(what: str, row: int | None = None) -> Problem:
    where = {} if row is None else {"row": row}
    before = "" if row is None else f"row {row}: "
    return Problem(500, "bad-prediction", f"{before}the model's answer is none: {what}", **where)
