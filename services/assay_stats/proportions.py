"""Intervals and exact tests for proportions, for one look."""

from collections.abc import Callable, Sequence
from math import fsum, sqrt
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import betaincinv, chdtrc, gammaln, ndtri

from assay_stats import exactmargin


class Table(NamedTuple):
    """Events among units in two arms."""

    control: float
    control_n: float
    treatment: float
    treatment_n: float


Interval = tuple[float, float]


def wilson(events: float, units: float, alpha: float = 0.05) -> Interval:
    """Return Wilson's score interval for one rate (1927)."""
    z = -float(ndtri(alpha / 2))
    p = events / units
    centre = (p + z**2 / (2 * units)) / (1 + z**2 / units)
    reach = z * sqrt(p * (1 - p) / units + z**2 / (4 * units**2)) / (1 + z**2 / units)
    return centre - reach, centre + reach


def clopper_pearson(events: float, units: float, alpha: float = 0.05) -> Interval:
    """Return the exact interval for one rate (1934)."""
    low = float(betaincinv(events, units - events + 1, alpha / 2)) if events else 0.0
    high = float(betaincinv(events + 1, units - events, 1 - alpha / 2)) if events < units else 1.0
    return low, high


def newcombe(table: Table, alpha: float = 0.05) -> Interval:
    """Return Newcombe's hybrid score interval for p_T - p_C (1998, method 10)."""
    p, q = table.treatment / table.treatment_n, table.control / table.control_n
    low_t, high_t = wilson(table.treatment, table.treatment_n, alpha)
    low_c, high_c = wilson(table.control, table.control_n, alpha)
    return (
        p - q - sqrt((p - low_t) ** 2 + (high_c - q) ** 2),
        p - q + sqrt((high_t - p) ** 2 + (q - low_c) ** 2),
    )


def wald(table: Table, alpha: float = 0.05) -> Interval:
    """Return the interval of the unpooled z."""
    p, q = table.treatment / table.treatment_n, table.control / table.control_n
    variance = p * (1 - p) / table.treatment_n + q * (1 - q) / table.control_n
    reach = -float(ndtri(alpha / 2)) * sqrt(variance)
    return p - q - reach, p - q + reach


def agresti_caffo(table: Table, alpha: float = 0.05) -> Interval:
    """Return Wald's interval after adding one event and one non-event to each arm (2000)."""
    n, m = table.treatment_n + 2, table.control_n + 2
    p, q = (table.treatment + 1) / n, (table.control + 1) / m
    reach = -float(ndtri(alpha / 2)) * sqrt(p * (1 - p) / n + q * (1 - q) / m)
    return p - q - reach, p - q + reach


def score(table: Table, alpha: float = 0.05) -> Interval:
    """Return the score interval for p_T - p_C with the N / (N - 1) of Miettinen and Nurminen (1985)."""
    z = -float(ndtri(alpha / 2))
    gap = table.treatment / table.treatment_n - table.control / table.control_n
    low = _bisect(lambda d: _score(table, d) <= z, -1.0, gap)
    high = _bisect(lambda d: _score(table, d) <= -z, gap, 1.0)
    return low, high


def chi_square(events: Sequence[float], units: Sequence[float]) -> tuple[float, int, float]:
    """Return Pearson's chi-square, its degrees of freedom and p-value for equal rates in k groups."""
    rate = fsum(events) / fsum(units)
    statistic = fsum(
        (x - n * rate) ** 2 / (n * rate * (1 - rate)) for x, n in zip(events, units, strict=True)
    )
    return statistic, len(events) - 1, float(chdtrc(len(events) - 1, statistic))


def fisher(
    table: Sequence[Sequence[int]], alternative: Literal["two-sided", "greater", "less"] = "two-sided"
) -> float:
    """Return Fisher's exact p-value for [[a, b], [c, d]]; "greater" asks for an odds ratio above 1."""
    (a, b), (c, d) = table
    low, high = max(0, a - d), min(a + b, a + c)
    cells = np.arange(low, high + 1)
    logs = -sum(gammaln(cell + 1) for cell in (cells, a + b - cells, a + c - cells, d - a + cells))
    chances = np.exp(logs - np.logaddexp.reduce(logs))
    if alternative == "greater":
        return float(min(1.0, chances[cells >= a].sum()))
    if alternative == "less":
        return float(min(1.0, chances[cells <= a].sum()))
    return float(min(1.0, chances[chances <= chances[a - low] * (1 + 1e-7)].sum()))


def _score(table: Table, difference: float) -> float:
    counts = exactmargin.Counts(table.treatment, table.treatment_n, table.control, table.control_n)
    q = exactmargin.restricted_rate(counts, difference)
    p = min(1.0, max(0.0, q + difference))
    variance = p * (1 - p) / table.treatment_n + q * (1 - q) / table.control_n
    total = table.treatment_n + table.control_n
    se = sqrt(max(variance, 1e-300) * total / (total - 1))
    return (counts.difference - difference) / se


def _bisect(right_of_root: Callable[[float], bool], low: float, high: float) -> float:
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if right_of_root(middle) else (middle, high)
    return (low + high) / 2
