"""How sure a metric on some hundred test rows is: percentile bootstrap, paired when two models meet."""

import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay_training.metrics import Context, Metric

LEVEL = 0.95
MOST, FEWEST, BUDGET = 200, 100, 4_000_000  # resamples, and resampled rows in all


class Interval(NamedTuple):
    """Where a number lies, with 95 % confidence."""

    low: float
    high: float


def interval(metric: Metric, seen: Context, seed: int) -> Interval:
    """The interval of a metric over resamples of the rows."""
    return _between([metric.measure(seen.at(rows)) for rows in _resamples(len(seen.truth), seed)])


def advantages(metric: Metric, version: Context, champion: Context, seed: int) -> NDArray[np.float64]:
    """By how much the version is better than the champion, in each resample of the rows that both saw."""
    sign = 1.0 if metric.higher else -1.0
    rows = _resamples(len(version.truth), seed)
    differences = [metric.measure(version.at(each)) - metric.measure(champion.at(each)) for each in rows]
    found = sign * np.array(differences)
    return found[np.isfinite(found)]


def _between(values: list[float]) -> Interval:
    finite = np.array(values)[np.isfinite(values)]
    if not len(finite):
        return Interval(np.nan, np.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(finite, [tail, 1 - tail])
    return Interval(float(low), float(high))


def _resamples(rows: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Positions of resampled rows; fewer times where each takes longer."""
    generator = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a resample without a class has no ROC: it is NaN, and left out
        for _ in range(int(np.clip(BUDGET // rows, FEWEST, MOST))):
            yield generator.integers(0, rows, rows)
