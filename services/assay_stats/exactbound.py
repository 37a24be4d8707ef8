"""Bounds of a difference of rates by the split and by the likelihoods: exact from the first unit on.

The e-value is the average of the bet on the split, which has most of the weight, and of the likelihood ratio,
which needs no stake and so stays near at any number of units. For a difference below zero the arms change
places, because the bets are made for margins from zero up.
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, log, log1p, sqrt

from assay_stats import betting, exactmargin, smallsample
from assay_stats.exactmargin import Counts

CLOSE = 1e-3
"""Of the root of ln e: near enough for a bound that is shown, on its safe side."""


@dataclass(frozen=True)
class Compared:
    """Two arms' counts and the treatment's share of their units; margins are at least 0."""

    counts: Counts
    share: float

    @cached_property
    def _mixture(self) -> float:
        return float(exactmargin.log_mixture(self.counts))

    @property
    def _sums(self) -> tuple[float, float, float]:
        b, n, a, m = self.counts
        return b, a, n + m

    @cached_property
    def swapped(self) -> "Compared":
        """The same with the arms exchanged."""
        b, n, a, m = self.counts
        return Compared(Counts(a, m, b, n), 1 - self.share)

    def log_safety(self, margin: float) -> float:
        """Return ln e against "the treatment's rate is at least control's plus margin"."""
        bet = float(betting.log_safety(*self._sums, self.share, margin))
        return _average(bet, exactmargin.log_safety(self.counts, margin, mixture=self._mixture))

    def log_harm(self, margin: float) -> float:
        """Return ln e against "the treatment's rate is at most control's plus margin"."""
        bet = float(betting.log_harm(*self._sums, self.share, margin))
        return _average(bet, exactmargin.log_harm(self.counts, margin, mixture=self._mixture))

    def upper_bound(self, level: float) -> float:
        """Return the margin from which on safety reaches ln e = `level`; 0 if every margin does."""
        least = max(0.0, self.counts.difference)
        lowest = self.log_safety(least)
        if lowest >= level:
            return least
        wanted = sqrt(level - lowest)  # the root of the evidence is nearly straight in the margin

        def rising(margin: float) -> float:
            return sqrt(max(0.0, self.log_safety(margin) - lowest)) - wanted

        far = (1 + sqrt(self.counts.treatment)) * wanted / self.counts.treatment_n
        while least + far < 1 and rising(least + far) < 0:
            far *= 2
        return exactmargin.root(rising, least, min(1.0, least + far), close=CLOSE)

    def highest(self, level: float) -> float:
        """Return the greatest difference that is not refuted at ln e = `level`; below zero, too."""
        if self.counts.difference >= 0 or self.log_safety(0.0) < level:
            return self.upper_bound(level)
        other = self.swapped
        if other.log_harm(0.0) < level:
            return 0.0
        wanted = sqrt(level)
        return -exactmargin.root(
            lambda drop: wanted - sqrt(max(0.0, other.log_harm(drop))),
            0.0,
            other.counts.difference,
            close=CLOSE,
        )


def interval(counts: Counts, share: float, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence of the treatment's rate minus control's; one look.

    >>> low, high = interval(Counts(40, 1000, 20, 1000), 0.5, 0.05)
    >>> low < 0.02 < high
    True
    """
    compared, level = Compared(counts, share), log(2 / alpha)
    return -compared.swapped.highest(level), compared.highest(level)


def _average(bet: float, likelihood: float) -> float:
    larger, smaller = bet + smallsample.LOG_REST, likelihood + smallsample.LOG_PART
    if larger < smaller:
        larger, smaller = smaller, larger
    return larger + log1p(exp(smaller - larger)) if larger > float("-inf") else larger
