"""How sure a metric on the test rows is: percentile bootstrap, paired when two models meet.

Of very many rows each resample takes fewer, and their spread is scaled to all of them: the m out of n
bootstrap (Bickel, Goetze and van Zwet, 1997).
"""

import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay_training.evaluation.metrics import Context, Metric

LEVEL = 0.95
RESAMPLES, MOST = 200, 20_000  # resamples, and rows of each


class Interval(NamedTuple):
    """Where a number lies, with 95 % confidence."""

    low: float
    high: float


def interval(metric: Metric, context: Context, seed: int) -> Interval:
    """The interval of a metric over resamples of the rows."""
    rows = len(context.truth)
    found = np.array([metric.measure(context.at(each)) for each in _resamples(rows, seed)])
    return _between(_scaled(found, rows, lambda: metric.measure(context)))


def advantages(metric: Metric, version: Context, champion: Context, seed: int) -> NDArray[np.float64]:
    """By how much the version is better than the champion, in each resample of the rows that both saw."""
    sign = 1.0 if metric.higher else -1.0
    rows = len(version.truth)
    differences = [
        metric.measure(version.at(each)) - metric.measure(champion.at(each))
        for each in _resamples(rows, seed)
    ]
    return sign * _scaled(
        np.array(differences), rows, lambda: metric.measure(version) - metric.measure(champion)
    )


def _scaled(found: NDArray[np.float64], rows: int, whole: Callable[[], float]) -> NDArray[np.float64]:
    """The finite values of resamples as if each had all rows; `whole` is the value of all rows."""
    finite = found[np.isfinite(found)]
    if rows <= MOST or not len(finite):
        return finite
    scaled: NDArray[np.float64] = whole() + (finite - finite.mean()) * np.sqrt(MOST / rows)
    return scaled


def _between(finite: NDArray[np.float64]) -> Interval:
    if not len(finite):
        return Interval(np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _resamples(rows: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Positions of resampled rows."""
    generator = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample without a class has no ROC: it is NaN, and left out
        for _ in range(RESAMPLES):
            yield generator.integers(0, rows, min(rows, MOST))
