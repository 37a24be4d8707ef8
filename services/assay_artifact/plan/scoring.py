"""From the matrix to scores, and from scores to probabilities or values."""

from dataclasses import dataclass
from math import exp, inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from assay_artifact.plan.encoding import Ints
from assay_artifact.table import Floats

Link = Literal["identity", "log", "logit", "softmax"]
CELLS = 1 << 15  # rows times trees that walk together, so that they stay in the processor's cache
LOWEST_EXPONENT = -709  # below it, exp(-x) is infinite


@dataclass(frozen=True)
class Linear:
    """One score for each row of `coefficients`, (scores, width)."""

    coefficients: Floats
    intercept: Floats

    def __call__(self, matrix: Floats) -> Floats:
        """Return (rows, scores).

        Raises:
            ValueError: A value is null or infinite.
        """
        if not np.isfinite(matrix).all():
            raise ValueError("Input contains null or infinity, which a linear model can't take")
        scores: Floats = matrix @ self.coefficients.T + self.intercept
        return scores


@dataclass(frozen=True)
class Trees:
    """Decision trees in one table of nodes; a leaf is its own child.

    All rows walk down all trees together, one level at a time. Every gather is checked against the table's
    bounds and the walk ends after `depth` levels, so a malicious table can neither read elsewhere nor loop.

    Attributes:
        feature: Column of the matrix that a node asks for.
        threshold: Greater values go right.
        missing_right: Whether null goes right.
        child: Left and right child of node n at 2n and 2n + 1.
        value: (nodes, outputs).
        roots: First node of each tree, in the order in which they are summed.
        start: (scores,), what the sums start with; the trees take turns with the scores.
        depth: Levels of the deepest tree.
        divisor: Of the sums.
        single: Whether the inputs are rounded to single precision first.
    """

    feature: Ints
    threshold: Floats
    missing_right: NDArray[np.bool_]
    child: Ints
    value: Floats
    roots: Ints
    start: Floats
    depth: int
    divisor: float
    single: bool

    def __call__(self, matrix: Floats) -> Floats:
        """Return (rows, scores).

        Raises:
            ValueError: A value is too large for single precision, where the model wants it.
        """
        if self.single:
            matrix = _single(matrix)
        step = max(1, CELLS // len(self.roots))
        if len(matrix) <= step:
            return self._scores(matrix)
        return np.concatenate([self._scores(matrix[i : i + step]) for i in range(0, len(matrix), step)])

    def _scores(self, matrix: Floats) -> Floats:
        groups = len(self.roots) // (len(self.start) if self.value.shape[1] == 1 else 1)
        leaves = self.value.take(self._leaves(matrix), axis=0)
        leaves = leaves.reshape(len(matrix), groups, len(self.start))
        first = np.broadcast_to(self.start, (len(matrix), 1, len(self.start)))
        # A cumulative sum adds from left to right, as the library's loop over trees does; a sum, in pairs.
        sums: Floats = np.concatenate([first, leaves], axis=1).cumsum(axis=1)[:, -1]
        return sums / self.divisor if self.divisor != 1 else sums

    def _leaves(self, matrix: Floats) -> Ints:
        rows, width = matrix.shape
        flat = matrix.ravel()
        nulls = np.isnan(flat)
        nulls_matter = bool(nulls.any())
        at = np.tile(self.roots, rows)
        offset = np.repeat(np.arange(0, rows * width, width), len(self.roots))
        for _ in range(self.depth):
            nodes = self.feature.take(at)
            nodes += offset
            right = flat.take(nodes) > self.threshold.take(at)
            if nulls_matter:
                right |= nulls.take(nodes) & self.missing_right.take(at)
            at *= 2
            at += right
            at = self.child.take(at)
        return at


def _single(matrix: Floats) -> Floats:
    with np.errstate(over="ignore"):
        rounded = matrix.astype(np.float32).astype(np.float64)
    if np.isinf(rounded).any():
        raise ValueError("Input contains a value too large for single precision")
    return rounded


def linked(scores: Floats, link: Link) -> Floats:
    """Return probabilities, (rows, classes), or values, (rows, 1).

    The formulae are those of scikit-learn, to the last bit.
    """
    if link == "identity":
        return scores
    if link == "log":
        return np.exp(scores)
    if link == "logit":
        second = np.array([_expit(score) for score in scores[:, 0].tolist()])
        return np.stack([1 - second, second], axis=1)
    powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def _expit(score: float) -> float:
    """The C library's exponential, as in scipy; numpy's differs in the last bit."""
    return 1 / (1 + (exp(-score) if score > LOWEST_EXPONENT else inf))
