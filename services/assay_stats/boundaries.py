"""Time-uniform boundaries for sums of bounded or light-tailed increments, beyond the default rules.

Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences",
arXiv:1810.08240; for quantiles Howard and Ramdas, arXiv:1906.09712. Each mixture integrates the exponential
supermartingale exp(lambda S - psi(lambda) V) over lambda; its bound is where it reaches 1 / alpha. `v` is
intrinsic time (for Gaussian increments their variance), `v_opt` where the bound is to be tightest.
"""

from collections.abc import Callable
from math import exp, log, log1p, sqrt
from typing import NamedTuple

from scipy.optimize import brentq, minimize_scalar
from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln, log_ndtr, zeta

LogMixture = Callable[[float], float]


def best_rho(v_opt: float, alpha: float, *, two_sided: bool = True) -> float:
    """Return the mixture's precision that makes the bound tightest near v_opt."""
    level = alpha if two_sided else 2 * alpha
    return v_opt / (2 * log(1 / level) + log1p(2 * log(1 / level)))


def normal_mixture(v: float, v_opt: float, alpha: float, *, two_sided: bool = True) -> float:
    """Return the sub-Gaussian mixture bound on S at intrinsic time v (Robbins 1970)."""
    rho = best_rho(v_opt, alpha, two_sided=two_sided)
    if two_sided:
        return sqrt((v + rho) * (log((v + rho) / rho) + 2 * log(1 / alpha)))
    return _bound(lambda s: log_normal(s, v, rho, two_sided=False), v, alpha)


def log_normal(s: float, v: float, rho: float, *, two_sided: bool = True) -> float:
    """Return the log of the normal mixture for a sum s at intrinsic time v."""
    if two_sided:
        return 0.5 * log(rho / (v + rho)) + s * s / (2 * (v + rho))
    return 0.5 * log(4 * rho / (v + rho)) + s * s / (2 * (v + rho)) + float(log_ndtr(s / sqrt(v + rho)))


def gamma_exponential(v: float, v_opt: float, c: float, alpha: float) -> float:
    """Return the one-sided sub-exponential mixture bound with scale c (proposition 9)."""
    rho = best_rho(v_opt, alpha, two_sided=False)
    return _bound(lambda s: log_gamma_exponential(s, v, rho, c), v, alpha)


def log_gamma_exponential(s: float, v: float, rho: float, c: float) -> float:
    """Return the log of the gamma-exponential mixture for a sum s at intrinsic time v."""
    start, now = rho / c**2, (v + rho) / c**2
    constant = start * log(start) - float(gammaln(start)) - log(gammainc(start, start))
    moved = s / c + now
    return constant + float(gammaln(now)) + log(gammainc(now, moved)) - now * log(moved) + s / c + v / c**2


def gamma_poisson(v: float, v_opt: float, c: float, alpha: float) -> float:
    """Return the one-sided sub-Poisson mixture bound with scale c (proposition 10)."""
    rho = best_rho(v_opt, alpha, two_sided=False)
    return _bound(lambda s: log_gamma_poisson(s, v, rho, c), v, alpha)


def log_gamma_poisson(s: float, v: float, rho: float, c: float) -> float:
    """Return the log of the gamma-Poisson mixture for a sum s at intrinsic time v."""
    start, now = rho / c**2, (v + rho) / c**2
    constant = start * log(start) - float(gammaln(start)) - log(gammaincc(start, start))
    moved = s / c + now
    return constant + float(gammaln(moved)) + log(gammaincc(moved, now)) - moved * log(now) + v / c**2


class Range(NamedTuple):
    """Increments of mean 0 between -g and h."""

    g: float
    h: float


def beta_binomial(v: float, v_opt: float, bounds: Range, alpha: float, *, two_sided: bool = True) -> float:
    """Return the sub-Bernoulli mixture bound for increments in [-g, h] (propositions 7 and 8)."""
    rho = best_rho(v_opt, alpha, two_sided=two_sided)
    steps = v / (bounds.g * bounds.h)
    most = steps * bounds.h

    def log_mixture(s: float) -> float:
        return log_bernoulli(min(s, most), steps, bounds, rho, two_sided=two_sided)

    if log_mixture(most) < log(1 / alpha):
        return most
    return float(brentq(lambda s: log_mixture(s) - log(1 / alpha), 0.0, most, xtol=1e-12))


def log_bernoulli(s: float, steps: float, bounds: Range, rho: float, *, two_sided: bool = True) -> float:
    """Return the log of the beta-binomial mixture for a sum s of `steps` increments in [-g, h]."""
    g, h = bounds
    total = max(rho - g * h, 1e-3 * g * h) / (g * h)
    a, b = total * g / (g + h), total * h / (g + h)
    hits = (g * steps + s) / (g + h)
    misses = steps - hits
    mixture = float(betaln(a + hits, b + misses)) - float(betaln(a, b))
    if not two_sided:
        null = h / (g + h)  # incomplete beta of the complement: no cancellation near 1
        mixture += log(betainc(b + misses, a + hits, null)) - log(betainc(b, a, null))
    return mixture - hits * log(g / (g + h)) - misses * log(h / (g + h))


def bernoulli_interval(successes: float, trials: float, t_opt: float, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence for a probability: the values whose mixture stays below 1 / alpha.

    It inverts the conditional beta-binomial e-process with concentration t_opt / 7.9373 - 1 (alpha .05).
    """
    mean = successes / trials

    def excess(p: float) -> float:
        bounds, rho = Range(p, 1 - p), best_rho(t_opt * p * (1 - p), alpha)
        return log_bernoulli(successes - trials * p, trials, bounds, rho) - log(1 / alpha)

    tiny = 1e-12
    low = float(brentq(excess, tiny, mean)) if successes else 0.0
    high = float(brentq(excess, mean, 1 - tiny)) if successes < trials else 1.0
    return low, high


class Stitching(NamedTuple):
    """How the polynomial stitched bound is tuned: growth of epochs and decay of their error."""

    s: float = 1.4
    eta: float = 2.0


def polynomial_stitching(
    v: float, v_min: float, c: float, alpha: float, tuning: Stitching | None = None
) -> float:
    """Return the one-sided sub-gamma stitched bound (theorem 1)."""
    s, eta = tuning or Stitching()
    v = max(v, v_min)
    k1, k2 = (eta**0.25 + eta**-0.25) / sqrt(2), (sqrt(eta) + 1) / 2
    ell = s * log(log(eta * v / v_min)) + log(float(zeta(s, 1)) / (alpha * log(eta) ** s))
    return sqrt(k1**2 * v * ell + (k2 * c * ell) ** 2) + k2 * c * ell


def empirical_process(t: float, t_min: float, alpha: float, factor: float = 0.85) -> float:
    """Return the iterated-logarithm bound on sup |F_t - F| for all t >= t_min (arXiv:1906.09712)."""
    constant = float(brentq(lambda c: log(_lil_error(factor, c) / alpha), 1.0, 200.0))
    return factor * sqrt((log1p(log(t / t_min)) + constant) / t)


def _lil_error(factor: float, constant: float) -> float:
    """Return the least of the theorem's error bounds over eta."""

    def error(eta: float) -> float:
        reach = factor - sqrt(2 * (eta - 1) / constant)
        gamma2 = 2 / eta * reach**2
        if reach <= 0 or gamma2 <= 1:
            return 1e3
        return 4 * exp(-gamma2 * constant) * (1 + 1 / ((gamma2 - 1) * log(eta)))

    steps = [10 ** (-k / 20) for k in range(120)]  # the minimum sits close to 1, beside a plateau
    near = min(steps, key=lambda step: error(1 + step))
    found = minimize_scalar(
        lambda x: error(1 + exp(x)), bounds=(log(near) - 0.2, log(near) + 0.2), method="bounded"
    )
    return float(min(found.fun, error(1 + near)))


def _bound(log_mixture: LogMixture, v: float, alpha: float) -> float:
    """Return the sum at which a rising mixture reaches 1 / alpha."""
    high = max(1.0, sqrt(v))
    while log_mixture(high) < log(1 / alpha):
        high *= 2
    return float(brentq(lambda s: log_mixture(s) - log(1 / alpha), 0.0, high, xtol=1e-12))
