"""Harm before the normal approximation may speak: a candidate that fails altogether has few of everything.

The floors of the asymptotic rules protect a win. Harm has a test of its own that needs none, for its own
part of alpha: the likelihood ratio for proportions, and for means Student's t as a normal deviate, from 10
units an arm on. Where no value differs from another inside an arm, it counts who has the candidate's value.
"""

from typing import NamedTuple

import numpy as np

from assay_stats import exactmargin, sequential
from assay_stats.sequential import Values

PART = 0.05
"""Of alpha; the rest is the main rule's."""
LOG_PART = float(np.log(PART))
LOG_REST = float(np.log1p(-PART))
FEWEST_UNITS = 10
TIGHTEST_AT = 20.0
"""Units of the smaller arm at which the bound for means is tightest."""


class Gap(NamedTuple):
    """How much worse the treatment is, in the metric's units, beyond the margin if there is one.

    Attributes:
        worse: The difference; worse is up.
        se: Its guarded standard error.
        treatment_n: Units of the treatment.
        control_n: Units of control.
    """

    worse: Values
    se: Values
    treatment_n: Values
    control_n: Values


def log_harm_of_proportion(b: Values, n: Values, a: Values, m: Values) -> Values:
    """Return ln e against "the treatment's rate of bad units is at most control's".

    Args:
        b: Bad units of the treatment, of `n`.
        n: Units of the treatment, at least 1.
        a: Bad units of control, of `m`.
        m: Units of control, at least 1.

    >>> round(float(log_harm_of_proportion(30, 30, 0, 570)), 1)
    112.7
    """
    log_e: Values = exactmargin.log_mixture((b, n, a, m)) - exactmargin.log_pooled(np.add(a, b), np.add(m, n))
    return np.where(np.multiply(b, m) > np.multiply(a, n), log_e, np.minimum(log_e, 0.0))[()]


def log_harm_of_mean(gap: Gap, alpha: float) -> Values:
    """Return -ln of an always-valid p-value against "the treatment's mean is not worse"; -inf for too few.

    Args:
        gap: The difference.
        alpha: Level of the whole test, for which the bound is tuned.
    """
    fewest = np.minimum(gap.treatment_n, gap.control_n)
    with np.errstate(all="ignore"):  # looks without units or spread are answered below
        z = _normal_deviate(np.where(np.greater(gap.se, 0), np.divide(gap.worse, gap.se), 0.0), fewest - 1)
        log_p = sequential.one_sided_log_evidence(z, np.maximum(fewest, 1) / TIGHTEST_AT, PART * alpha)
    n, m = gap.treatment_n, gap.control_n
    constant = exactmargin.log_mixture((n, n, 0.0, m)) - exactmargin.log_pooled(n, np.add(n, m))
    same = np.where((gap.worse > 0) & (fewest > 0), constant, -np.inf)
    return np.where(gap.se > 0, np.where(fewest >= FEWEST_UNITS, log_p, -np.inf), same)[()]


def _normal_deviate(t: Values, df: Values) -> Values:
    """Return the z that is as far out as Student's t (Wallace 1959); it never overflows."""
    df = np.maximum(df, 1)
    z: Values = (8 * df + 1) / (8 * df + 3) * np.sqrt(df * np.log1p(np.square(np.maximum(t, 0.0)) / df))
    return z
