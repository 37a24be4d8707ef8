"""Power of fixed-horizon tests by each named convention: t, pooled normal, plain normal, arcsine, rule of 16.

Two-sided unless `sides` is 1; the far tail is left out, as in R's power.t.test and power.prop.test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import asin, sqrt

from scipy.optimize import brentq
from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from assay_stats.planning import deviations

FAR_DF = 1e5


@dataclass(frozen=True)
class Test:
    """Level and shape of a test.

    Attributes:
        alpha: Over all sides.
        sides: 1 or 2.
        ratio: n2 / n1.
    """

    alpha: float = 0.05
    sides: int = 2
    ratio: float = 1.0

    @property
    def tail(self) -> float:
        """Alpha of one side."""
        return self.alpha / self.sides


def t_power(effect: float, n: float, test: Test | None = None) -> float:
    """Return the power of the two-sample t test for a standardised effect and n1 = n.

    Noncentral t (scipy's `nctdtr`), which fails far out: from 1e5 degrees of freedom on the normal form.
    """
    test = test or Test()
    df = n * (1 + test.ratio) - 2
    shift = abs(effect) * sqrt(n * test.ratio / (1 + test.ratio))
    if df > FAR_DF:
        return z_power(effect, n, test)
    return 1 - float(nctdtr(df, shift, -stdtrit(df, test.tail)))


def z_power(effect: float, n: float, test: Test | None = None) -> float:
    """Return the power of the two-sample z test for a standardised effect and n1 = n."""
    test = test or Test()
    shift = abs(effect) * sqrt(n * test.ratio / (1 + test.ratio))
    return float(ndtr(shift + ndtri(test.tail)))


def proportion_power(p1: float, p2: float, n: float, test: Test | None = None) -> float:
    """Return the power of the pooled z test of two rates, n1 = n."""
    test = test or Test()
    null, alternative = deviations(p1, p2, test.ratio)
    return float(ndtr((abs(p2 - p1) * sqrt(n) + ndtri(test.tail) * null) / alternative))


def proportion_units(p1: float, p2: float, power: float, test: Test | None = None) -> float:
    """Return the n1 at which the pooled z test of two rates has the power."""
    test = test or Test()
    null, alternative = deviations(p1, p2, test.ratio)
    return ((float(ndtri(power)) * alternative - float(ndtri(test.tail)) * null) / (p2 - p1)) ** 2


def plain_units(
    variances: tuple[float, float], delta: float, power: float, test: Test | None = None
) -> float:
    """Return the n1 of the unpooled normal formula: (z + z)^2 (v1 + v2 / r) / delta^2."""
    test = test or Test()
    return _z_sum(power, test) ** 2 * (variances[0] + variances[1] / test.ratio) / delta**2


def arcsine_units(p1: float, p2: float, power: float, test: Test | None = None) -> float:
    """Return the n1 of Cohen's arcsine formula."""
    test = test or Test()
    h = 2 * asin(sqrt(p2)) - 2 * asin(sqrt(p1))
    return _z_sum(power, test) ** 2 * (1 + 1 / test.ratio) / h**2


def rule_of_16(p: float, delta: float) -> float:
    """Return the n per arm of van Belle's 16 p(1-p) / delta^2 (two-sided .05, power .8)."""
    return 16 * p * (1 - p) / delta**2


def solve(power_at: Callable[[float], float], power: float, low: float, high: float) -> float:
    """Return the argument at which a rising power function reaches `power`; `high` is doubled as needed."""
    while power_at(high) < power:
        low, high = high, high * 2
    return float(brentq(lambda x: power_at(x) - power, low, high, xtol=1e-12, rtol=1e-13))


def _z_sum(power: float, test: Test) -> float:
    return float(ndtri(power)) - float(ndtri(test.tail))
