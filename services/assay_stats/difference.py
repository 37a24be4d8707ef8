"""Estimates from two arms' sums: the difference, its two standard errors, and the relative lift.

The plain standard error is the one that textbooks and reference engines print. The guarded one is the
larger of it and the pooled one; decisions use it, because a small arm that happens to look quiet would
otherwise win by chance (a 1% canary: .85 false positives under peeking instead of .005).
"""

from math import sqrt
from typing import NamedTuple

import numpy as np

from assay_stats.moments import Moments
from assay_stats.sequential import Values

FAR_FROM_ZERO = 5
"""Standard errors that control's mean must be from zero for a ratio to it to make sense."""


class Arm(NamedTuple):
    """What a comparison needs of an arm: units, mean and the variance of one unit."""

    n: float
    mean: float
    variance: float


class Errors(NamedTuple):
    """The plain and the guarded standard error of a difference."""

    se: Values
    guarded: Values


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
    units: float


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
    errors = standard_errors((control.n, control.variance), (treatment.n, treatment.variance), scale)
    estimate = treatment.mean - scale * control.mean
    return Difference(estimate, float(errors.se), float(errors.guarded), control.n + treatment.n)


def standard_errors(
    control: tuple[Values, Values], treatment: tuple[Values, Values], scale: float = 1.0
) -> Errors:
    """Return both standard errors of m_T - scale * m_C from (units, unit variance) of each arm."""
    (m, u), (n, v) = control, treatment
    squared = v / n + scale**2 * u / m
    pooled = (m * u + n * v) / (m + n)
    return Errors(np.sqrt(squared), np.sqrt(np.maximum(squared, pooled * (1 / n + scale**2 / m))))


def lift(
    control: Arm, treatment: Arm, quantile: float, se_factor: float = 1.0, *, always: bool = False
) -> Lift | None:
    """Return the relative lift by the delta method, or None while |m_C| is under 5 of its standard errors.

    Args:
        control: The denominator.
        treatment: The numerator.
        quantile: Half the interval's width in standard errors.
        se_factor: What the interval's standard error is multiplied with (guarded over plain).
        always: Answer for any control mean but 0, however uncertain.
        always: Answer for any control mean but 0, however uncertain.
    """
    if not control.n or not treatment.n or not control.mean:
        return None
    if not always and abs(control.mean) <= FAR_FROM_ZERO * sqrt(control.variance / control.n):
        return None
    mean = control.mean
    squared = treatment.variance / (treatment.n * mean**2)
    squared += control.variance * treatment.mean**2 / (control.n * mean**4)
    estimate, se = treatment.mean / mean - 1, sqrt(squared)
    reach = quantile * se * se_factor
    return Lift(estimate, se, estimate - reach, estimate + reach)
