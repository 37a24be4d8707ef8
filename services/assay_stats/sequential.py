"""The asymptotic confidence sequence: a normal mixture with a plug-in standard error.

Under no difference the mixture's expectation is 1 however often one looks, so by Ville's inequality the
chance that it ever exceeds 1 / alpha is alpha at most, and the interval covers at every look at once.
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences", arXiv:2103.06476; with a known variance it is the mSPRT of Johari et al. (KDD 2017).

Throughout, `information` is N / N*: the units so far over those at which the interval is to be tightest.
Every function takes numbers or arrays, so that a simulation runs the very rule that decides.
"""

from math import log, log1p

import numpy as np
from numpy.typing import NDArray

Values = float | NDArray[np.float64]
"""One look, or many at once."""


def tuning(alpha: float) -> float:
    """Return rho^2 N*: the prior's weight in units of N*, tightest for two sides at N = N*.

    (L + ln(L + 1)) with L = -2 ln alpha, the usual approximation to the optimum.
    """
    rate = -2 * log(alpha)
    return rate + log1p(rate)


def log_evidence(z: Values, information: Values, alpha: float) -> Values:
    """Return ln e of the two-sided normal mixture against "no difference".

    Args:
        z: Estimate over its standard error.
        information: N / N*.
        alpha: Level for which the mixture is tuned; every alpha gives a valid e-process.

    >>> round(float(log_evidence(3.0352089903762534, 1.0, 0.05)), 6)  # the bound itself gives 1 / alpha
    2.995732
    """
    weight = np.multiply(information, tuning(alpha))
    log_e: Values = np.square(z) / 2 * (weight / (1 + weight)) - np.log1p(weight) / 2
    return log_e


def half_width(information: Values, alpha: float) -> Values:
    """Return half the two-sided interval's width, in standard errors.

    >>> round(float(half_width(1.0, 0.05)), 4)
    3.0352
    """
    weight = np.multiply(information, tuning(alpha))
    width: Values = np.sqrt((1 + 1 / weight) * (np.log1p(weight) - 2 * log(alpha)))
    return width


def one_sided_half_width(information: Values, alpha: float, level: float | None = None) -> Values:
    """Return the distance from the estimate to a one-sided bound, in standard errors; alpha below 1/2.

    `level`, if it is not alpha, is that of the bound; alpha remains what the mixture is tuned for.

    >>> round(float(one_sided_half_width(4.0, 0.05)), 4)
    2.8682
    """
    weight = np.multiply(information, tuning(2 * alpha))
    log_odds = np.log1p(np.sqrt(weight + 1) / (2 * (level or alpha)))
    width: Values = np.sqrt(2 * (weight + 1) / weight * log_odds)
    return width


def one_sided_log_evidence(z: Values, information: Values, alpha: float) -> Values:
    """Return -ln of the one-sided always-valid p-value against "the difference is not positive".

    It inverts `one_sided_half_width`: p1 = sqrt(c + 1) / (2 expm1(z^2 c / (2 (c + 1)))) for z > 0. Without a
    positive z there is no evidence, whatever was seen before.
    """
    weight = np.multiply(information, tuning(2 * alpha))
    exponent = np.square(np.maximum(z, 0)) * weight / (2 * (weight + 1))
    with np.errstate(divide="ignore"):  # ln 0 is the answer where there is no evidence
        log_expm1 = exponent + np.log(-np.expm1(-exponent))
    log_e: Values = log(2) + log_expm1 - np.log1p(weight) / 2
    return log_e


def p_value(log_e: Values) -> Values:
    """Return the always-valid p-value of a (running maximum of a) log e-value: min(1, 1 / e)."""
    p: Values = np.exp(-np.maximum(log_e, 0.0))
    return p
