"""The asymptotic confidence sequence: a normal mixture with a plug-in standard error.

Under no difference the mixture's expectation is 1 however often one looks (Ville's inequality), so the
chance that it ever exceeds 1 / alpha is alpha at most, and the interval covers at every look at once.
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
sequences", arXiv:2103.06476; with a known variance it is the mSPRT of Johari et al. (KDD 2017).

Throughout, `information` is N / N*: the units so far over those at which the interval is to be tightest.
"""

from math import exp, expm1, inf, log, log1p, sqrt

FAR = 700.0  # beyond, exp overflows and expm1(x) is exp(x) to the last digit


def tuning(alpha: float) -> float:
    """Return rho^2 N*: the prior's weight in units of N*, tightest for two sides at N = N*.

    (L + ln(L + 1)) with L = -2 ln alpha, the usual approximation to the optimum.
    """
    rate = -2 * log(alpha)
    return rate + log1p(rate)


def log_evidence(z: float, information: float, alpha: float) -> float:
    """Return ln e of the two-sided normal mixture against "no difference".

    Args:
        z: Estimate over its standard error.
        information: N / N*.
        alpha: Level for which the mixture is tuned; every alpha gives a valid e-process.

    >>> round(log_evidence(3.0352089903762534, 1.0, 0.05), 6)  # the bound itself gives 1 / alpha
    2.995732
    """
    weight = information * tuning(alpha)
    return z * z / 2 * weight / (1 + weight) - log1p(weight) / 2


def half_width(information: float, alpha: float) -> float:
    """Return half the two-sided interval's width, in standard errors.

    >>> round(half_width(1.0, 0.05), 4)
    3.0352
    """
    weight = information * tuning(alpha)
    return sqrt((1 + 1 / weight) * (log1p(weight) - 2 * log(alpha)))


def one_sided_half_width(information: float, alpha: float) -> float:
    """Return the distance from the estimate to a one-sided bound, in standard errors.

    >>> round(one_sided_half_width(4.0, 0.05), 4)
    2.8682
    """
    weight = information * tuning(2 * alpha)
    return sqrt(2 * (weight + 1) / weight * log1p(sqrt(weight + 1) / (2 * alpha)))


def one_sided_log_evidence(z: float, information: float, alpha: float) -> float:
    """Return ln e against "the difference is not positive": -ln of the one-sided always-valid p-value.

    It inverts `one_sided_half_width`: p1 = sqrt(c + 1) / (2 expm1(z^2 c / (2 (c + 1)))) for z > 0. Without a
    positive z there is no evidence, whatever was seen before.
    """
    if z <= 0:
        return -inf
    weight = information * tuning(2 * alpha)
    exponent = z * z * weight / (2 * (weight + 1))
    log_expm1 = exponent if exponent > FAR else log(expm1(exponent)) if exponent > 0 else -inf
    return log(2) + log_expm1 - log1p(weight) / 2


def p_value(log_e: float) -> float:
    """Return the always-valid p-value of a (running maximum of a) log e-value: min(1, 1 / e)."""
    return exp(-log_e) if log_e > 0 else 1.0
