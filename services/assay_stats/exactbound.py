"""Bounds of a difference of rates by the split and by the likelihoods: exact from the first unit on.

The e-value is the average of the bet on the split, which has most of the weight, and of the likelihood ratio,
which needs no stake and so stays near at any number of units. For a difference below zero the arms change
places, because the bets are made for margins from zero up.
"""

from math import log, sqrt

import numpy as np

from assay_stats import betting, exactmargin, smallsample
from assay_stats.exactmargin import Counts

CLOSE = 1e-3
"""Of the root of ln e: near enough for a bound that is shown, on its safe side."""


def log_safety(counts: Counts, share: float, margin: float) -> float:
    """Return ln e against "the treatment's rate is at least control's plus margin", margin at least 0."""
    sums = counts.treatment, counts.control, counts.treatment_n + counts.control_n
    return _average(betting.log_safety(*sums, share, margin), exactmargin.log_safety(counts, margin))


def log_harm(counts: Counts, share: float, margin: float) -> float:
    """Return ln e against "the treatment's rate is at most control's plus margin", margin at least 0."""
    sums = counts.treatment, counts.control, counts.treatment_n + counts.control_n
    return _average(betting.log_harm(*sums, share, margin), exactmargin.log_harm(counts, margin))


def _average(bet: float | np.ndarray, likelihood: float) -> float:
    return float(np.logaddexp(bet + smallsample.LOG_REST, likelihood + smallsample.LOG_PART))


def interval(counts: Counts, share: float, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence of the treatment's rate minus control's; one look.

    >>> low, high = interval(Counts(40, 1000, 20, 1000), 0.5, 0.05)
    >>> low < 0.02 < high
    True
    """
    level, mirrored = log(2 / alpha), _swapped(counts)
    return -_highest(mirrored, 1 - share, level), _highest(counts, share, level)


def _swapped(counts: Counts) -> Counts:
    return Counts(counts.control, counts.control_n, counts.treatment, counts.treatment_n)


def _highest(counts: Counts, share: float, level: float) -> float:
    """Return the upper end: below zero, the least difference by which control is shown to be worse."""
    if counts.difference >= 0 or log_safety(counts, share, 0.0) < level:
        return upper_bound(counts, share, level)
    mirrored = _swapped(counts)
    if log_harm(mirrored, 1 - share, 0.0) < level:
        return 0.0
    least = exactmargin.root(
        lambda drop: sqrt(level) - sqrt(max(0.0, log_harm(mirrored, 1 - share, drop))),
        0.0,
        mirrored.difference,
        close=CLOSE,
    )
    return -least


def upper_bound(counts: Counts, share: float, level: float) -> float:
    """Return the margin from which on safety reaches `level`; 0 if every margin does."""
    least = max(0.0, counts.difference)
    lowest = log_safety(counts, share, least)
    if lowest >= level:
        return least
    wanted = sqrt(level - lowest)  # the root of the evidence is nearly straight in the margin

    def rising(margin: float) -> float:
        return sqrt(max(0.0, log_safety(counts, share, margin) - lowest)) - wanted

    far = (1 + sqrt(counts.treatment)) * wanted / counts.treatment_n
    while least + far < 1 and rising(least + far) < 0:
        far *= 2
    return exactmargin.root(rising, least, min(1.0, least + far), close=CLOSE)
