"""Estimates from two arms' sums: the difference, its two standard errors, and the relative lift.

The plain standard error is the one that textbooks and reference engines print. The guarded one is the
larger of it and the pooled one; decisions use it, because a small arm that happens to look quiet would
otherwise win by chance (a 1% canary: .85 false positives under peeking instead of .005).
"""

from math import sqrt
from typing import NamedTuple

from assay_stats.moments import Moments


class Arm(NamedTuple):
    """What a comparison needs of an arm: units, mean and the variance of one unit."""

    n: int
    mean: float
    variance: float


class Difference(NamedTuple):
    """Treatment minus control.

    Attributes:
        estimate: m_T - m_C.
        se: sqrt(v_T / n_T + v_C / n_C).
        guarded_se: sqrt(max(se^2, v_p (1 / n_T + 1 / n_C))), v_p the pooled within-arm variance.
        units: Units of both arms.
    """

    estimate: float
    se: float
    guarded_se: float
    units: int


class Lift(NamedTuple):
    """Treatment over control, minus 1.

    Attributes:
        estimate: m_T / m_C - 1.
        se: By the delta method.
        low: Lower end of the interval.
        high: Upper end.
    """

    estimate: float
    se: float
    low: float
    high: float


def arm(moments: Moments, *, binary: bool) -> Arm:
    """Reduce sums to an arm; binary variance is p(1-p), others have n - 1."""
    return Arm(moments.n, moments.mean, moments.binary_variance if binary else moments.variance)


def difference(control: Arm, treatment: Arm, scale: float = 1.0) -> Difference:
    """Return m_T - scale * m_C with both standard errors; 0 units give 0 for all."""
    if not control.n or not treatment.n:
        return Difference(0.0, 0.0, 0.0, control.n + treatment.n)
    squared = treatment.variance / treatment.n + scale**2 * control.variance / control.n
    guarded = pooled_variance(control, treatment) * (1 / treatment.n + scale**2 / control.n)
    return Difference(
        treatment.mean - scale * control.mean,
        sqrt(squared),
        sqrt(max(squared, guarded)),
        control.n + treatment.n,
    )


def pooled_variance(control: Arm, treatment: Arm) -> float:
    """Return the within-arm variance of both arms together, weighted by units."""
    return (control.n * control.variance + treatment.n * treatment.variance) / (control.n + treatment.n)


def lift(control: Arm, treatment: Arm, quantile: float, se_factor: float = 1.0) -> Lift | None:
    """Return the relative lift by the delta method, or None while |m_C| is under 5 of its standard errors.

    Args:
        control: The denominator.
        treatment: The numerator.
        quantile: Half the interval's width in standard errors.
        se_factor: What the interval's standard error is multiplied with (guarded over plain).
    """
    if not control.n or not treatment.n or abs(control.mean) <= 5 * sqrt(control.variance / control.n):
        return None
    mean = control.mean
    squared = treatment.variance / (treatment.n * mean**2)
    squared += control.variance * treatment.mean**2 / (control.n * mean**4)
    estimate, se = treatment.mean / mean - 1, sqrt(squared)
    reach = quantile * se * se_factor
    return Lift(estimate, se, estimate - reach, estimate + reach)
