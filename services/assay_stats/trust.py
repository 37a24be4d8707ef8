"""Reasons to distrust an experiment whose arithmetic is right.

These are flags for people and holds for promotion; none of them creates evidence. All take sums, so that they
cost nothing: an effect by days since exposure, whole weeks, one unit that carries a mean, units in two arms,
and two experiments that meddle with each other.
"""

from collections.abc import Mapping, Sequence
from math import fsum, inf, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import chdtrc, kolmogorov, ndtr

from assay_stats.difference import Difference

LARGEST_UNIT = 0.01
CROSSOVER = 0.005
WEEK = 7.0


class Flag(NamedTuple):
    """The answer of a check.

    Attributes:
        raised: Whether to hold a promotion.
        value: What was measured.
        bar: What it was held against.
        message: Number, bar and next step in words.
    """

    raised: bool
    value: float
    bar: float
    message: str


class Trend(NamedTuple):
    """An effect by days since a unit's first exposure.

    Attributes:
        slope: Change of the effect a day, by weighted least squares.
        z: Slope over its standard error.
        p_value: Two-sided, for one look.
        kind: "novelty" for an effect that fades towards zero, "primacy" for one that grows, "steady" else.
    """

    slope: float
    z: float
    p_value: float
    kind: str


def trend(days: Sequence[float], effects: Sequence[Difference], alpha: float = 0.01) -> Trend:
    """Return whether the effect fades or grows with the days since exposure.

    Args:
        days: Days since first exposure, one a row.
        effects: The difference among units at that age; rows without a standard error are left out.
        alpha: Level of calling it novelty or primacy.
    """
    rows = [(day, e.estimate, 1 / e.se**2) for day, e in zip(days, effects, strict=True) if e.se > 0]
    if len({day for day, *_ in rows}) <= 1:
        return Trend(0.0, 0.0, 1.0, "steady")
    weight = fsum(w for *_, w in rows)
    middle, level = (fsum(w * v for v, w in pairs) / weight for pairs in _columns(rows))
    spread = fsum(w * (day - middle) ** 2 for day, _, w in rows)
    slope = fsum(w * (day - middle) * effect for day, effect, w in rows) / spread
    z = slope * sqrt(spread)
    p_value = 2 * float(ndtr(-abs(z)))
    kind = "steady" if p_value > alpha else "novelty" if slope * level < 0 else "primacy"
    return Trend(slope, z, p_value, kind)


def _columns(rows: Sequence[tuple[float, float, float]]) -> list[list[tuple[float, float]]]:
    return [[(day, w) for day, _, w in rows], [(effect, w) for _, effect, w in rows]]


def whole_cycles(days: float, cycle: float = WEEK) -> Flag:
    """Hold until whole weeks have passed: weekend users are not weekday users."""
    rest = days % cycle
    raised = days < cycle or rest > cycle / 1000
    missing = cycle - rest if raised else 0.0
    words = f"{days:.1f} days are not whole cycles of {cycle:g}; {missing:.1f} days to go"
    whole = f"{days / cycle:.0f} whole cycles of {cycle:g} days"
    return Flag(raised, days, cycle, words if raised else whole)


def heavy_tail(largest: float, total: float, bar: float = LARGEST_UNIT) -> Flag:
    """Flag a mean of which one unit carries a visible part; cap the metric before the next start.

    Args:
        largest: Greatest absolute value of a unit.
        total: Sum of the arm's absolute values.
        bar: Part that one unit may carry.
    """
    part = abs(largest) / total if total else 0.0
    words = f"one unit carries {part:.1%} of the sum, bar {bar:.1%}"
    return Flag(part > bar, part, bar, words + ("; cap the metric" if part > bar else ""))


def crossover(crossed: int, units: int, bar: float = CROSSOVER) -> Flag:
    """Flag units that were seen in two arms; they are excluded, but many of them mean a broken assignment."""
    part = crossed / units if units else 0.0
    return Flag(
        part > bar, part, bar, f"{crossed} of {units} units were in two arms ({part:.2%}), bar {bar:.2%}"
    )


def duplicates(repeated: int, received: int, bar: float = CROSSOVER) -> Flag:
    """Flag repeated deliveries; they are dropped, but many of them mean a shipper in trouble."""
    part = repeated / received if received else 0.0
    words = f"{repeated} of {received} deliveries were repeated ({part:.2%}), bar {bar:.2%}"
    return Flag(part > bar, part, bar, words)


class Interaction(NamedTuple):
    """Whether the effect of one experiment depends on the arm of another.

    Attributes:
        chi2: Cochran's heterogeneity of the effect over the other's arms.
        df: Its degrees of freedom.
        p_value: For one look.
        largest_gap: Greatest difference between two of the effects.
    """

    chi2: float
    df: int
    p_value: float
    largest_gap: float


def interaction(effects: Mapping[str, Difference]) -> Interaction:
    """Compare this experiment's effect between the arms of a concurrent one.

    Args:
        effects: The difference among the units of each of the other's arms.
    """
    rows = [(e.estimate, 1 / e.se**2) for e in effects.values() if e.se > 0]
    if len(rows) <= 1:
        return Interaction(0.0, 0, 1.0, 0.0)
    mean = fsum(w * v for v, w in rows) / fsum(w for _, w in rows)
    chi2 = fsum(w * (v - mean) ** 2 for v, w in rows)
    values = [v for v, _ in rows]
    return Interaction(chi2, len(rows) - 1, float(chdtrc(len(rows) - 1, chi2)), max(values) - min(values))


class Uniformity(NamedTuple):
    """Fixed-horizon p-values of A/A experiments against the uniform distribution.

    Attributes:
        statistic: Kolmogorov's greatest distance.
        p_value: Asymptotic.
        rejections: Part of the p-values at or under alpha.
    """

    statistic: float
    p_value: float
    rejections: float


def uniformity(p_values: Sequence[float], alpha: float = 0.05) -> Uniformity:
    """Check a platform by its A/A tests; always-valid p-values have an atom at 1, so count those instead."""
    p = np.sort(np.asarray(p_values, float))
    n = len(p)
    if not n:
        return Uniformity(0.0, 1.0, 0.0)
    steps = np.arange(n + 1) / n
    statistic = float(max((steps[1:] - p).max(), (p - steps[:-1]).max()))
    return Uniformity(statistic, float(kolmogorov(sqrt(n) * statistic)), float((p <= alpha).mean()))


def valid_until(days: float, cycles: int = 4, cycle: float = WEEK) -> Flag:
    """Flag a result that is older than a few cycles: the world it was measured in has moved on."""
    bar = cycles * cycle
    return Flag(days > bar, days, bar if bar else inf, f"measured {days:.0f} days ago, trusted for {bar:.0f}")
