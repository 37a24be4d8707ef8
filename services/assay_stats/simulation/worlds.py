"""Worlds to draw units from, as cumulative sums per look.

A world knows how one unit of an arm behaves; `effect` is relative to control's mean. Units fall in arms by
chance, as a hash lets them. Arrays are (runs, looks), one Sums per arm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, expm1
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay_stats.difference import Arm
from assay_stats.winsor import cap

Floats = NDArray[np.float64]


class Sums(NamedTuple):
    """Cumulative sums at every look: of values, or of (y, x) pairs when `x` and the rest are there."""

    n: Floats
    total: Floats
    squares: Floats
    x: Floats | None = None
    xx: Floats | None = None
    xy: Floats | None = None


class Draw(NamedTuple):
    """What to draw.

    Attributes:
        runs: Experiments.
        units: Units of all arms together that arrive up to each look since the one before.
        parts: Each arm's part of the units, control first, adding up to 1.
        effects: Each arm's relative effect; control's is 0.
    """

    runs: int
    units: tuple[int, ...]
    parts: tuple[float, ...]
    effects: tuple[float, ...]


class World(Protocol):
    """How units behave."""

    def draw(self, rng: np.random.Generator, what: Draw) -> list[Sums]:
        """Return the cumulative sums of every arm."""

    def truth(self) -> Arm:
        """Return one unit's mean and variance in control (n is 0), for planning."""


@dataclass(frozen=True)
class Bernoulli:
    """Zeros and ones.

    Attributes:
        rate: Control's rate.
        trend: Factor by which all rates have grown at the last look; 1 is no trend.
    """

    rate: float
    trend: float = 1.0

    def draw(self, rng: np.random.Generator, what: Draw) -> list[Sums]:
        """Draw binomial sums; no unit needs to be drawn alone."""
        arrived = rng.multinomial(np.array(what.units), what.parts, size=(what.runs, len(what.units)))
        growth = np.geomspace(1.0, self.trend, len(what.units))
        sums = []
        for k, effect in enumerate(what.effects):
            n = arrived[..., k]
            events = (
                rng.binomial(n, np.minimum(1.0, self.rate * growth * (1 + effect))).cumsum(1).astype(float)
            )
            sums.append(Sums(n.cumsum(1).astype(float), events, events))
        return sums

    def truth(self) -> Arm:
        """Return p and p(1-p)."""
        return Arm(0, self.rate, self.rate * (1 - self.rate))


@dataclass(frozen=True)
class LogNormal:
    """Heavy-tailed amounts exp(sigma Z), scaled by the effect.

    Attributes:
        sigma: Of the logarithm.
        capped: Quantile at which amounts are capped before the start (0: never).
    """

    sigma: float = 1.5
    capped: float = 0.0

    def draw(self, rng: np.random.Generator, what: Draw) -> list[Sums]:
        """Draw every unit."""
        return _every_unit(rng, what, self._values)

    def truth(self) -> Arm:
        """Return the moments; of the capped amounts by drawing a million."""
        if self.capped:
            return _estimated(self)
        return Arm(0, exp(self.sigma**2 / 2), expm1(self.sigma**2) * exp(self.sigma**2))

    def _values(self, rng: np.random.Generator, factors: Floats) -> Floats:
        values = np.exp(self.sigma * rng.standard_normal(factors.shape)) * factors
        return np.minimum(values, self.bound) if self.capped else values

    @property
    def bound(self) -> float:
        """The frozen cap, from a history of control."""
        rng = np.random.default_rng(0)
        return cap(np.exp(self.sigma * rng.standard_normal(1_000_000)).tolist(), self.capped)


@dataclass(frozen=True)
class Spenders:
    """Most spend nothing, some a log-normal amount.

    Attributes:
        rate: Part of the units that spend.
        sigma: Of the logarithm of what they spend.
    """

    rate: float = 0.05
    sigma: float = 1.5

    def draw(self, rng: np.random.Generator, what: Draw) -> list[Sums]:
        """Draw every unit."""
        return _every_unit(rng, what, self._values)

    def truth(self) -> Arm:
        """Return the moments of the mixture."""
        mean = self.rate * exp(self.sigma**2 / 2)
        return Arm(0, mean, self.rate * exp(2 * self.sigma**2) - mean**2)

    def _values(self, rng: np.random.Generator, factors: Floats) -> Floats:
        spends = rng.random(factors.shape) < self.rate
        amounts: Floats = np.exp(self.sigma * rng.standard_normal(factors.shape)) * spends * factors
        return amounts


@dataclass(frozen=True)
class RatioOfMeans:
    """Clicks per view: x views a unit (1 + Poisson), y clicks with a unit's own rate.

    Attributes:
        views: Mean of the Poisson part.
        rate: Mean click rate; it varies between units as Beta(2, 2 / rate - 2).
    """

    views: float = 4.0
    rate: float = 0.1

    def draw(self, rng: np.random.Generator, what: Draw) -> list[Sums]:
        """Draw every unit."""
        return _every_pair(rng, what, self._pairs)

    def truth(self) -> Arm:
        """Return the ratio with its unit variance, by drawing a million."""
        return _estimated(self)

    def _pairs(self, rng: np.random.Generator, factors: Floats) -> tuple[Floats, Floats]:
        views = 1 + rng.poisson(self.views, factors.shape)
        own = rng.beta(2, 2 / self.rate - 2, factors.shape) * factors
        return rng.binomial(views, np.minimum(1, own)).astype(float), views.astype(float)


@dataclass(frozen=True)
class Cuped:
    """A skewed outcome with a covariate from before the exposure.

    Attributes:
        correlation: Of the logarithms of outcome and covariate.
        sigma: Of both logarithms.
    """

    correlation: float = 0.6
    sigma: float = 1.0

    def draw(self, rng: np.random.Generator, what: Draw) -> list[Sums]:
        """Draw every unit."""
        return _every_pair(rng, what, self._pairs)

    def truth(self) -> Arm:
        """Return the outcome's mean and the variance that the covariate leaves."""
        mean, variance = exp(self.sigma**2 / 2), expm1(self.sigma**2) * exp(self.sigma**2)
        shared = expm1(self.correlation * self.sigma**2) / expm1(self.sigma**2)
        return Arm(0, mean, variance * (1 - shared**2))

    def _pairs(self, rng: np.random.Generator, factors: Floats) -> tuple[Floats, Floats]:
        x = rng.standard_normal(factors.shape)
        own = (1 - self.correlation**2) ** 0.5 * rng.standard_normal(factors.shape)
        y = np.exp(self.sigma * (self.correlation * x + own)) * factors
        return y, np.exp(self.sigma * x)


class _Layout(NamedTuple):
    """Units in a row, arm after arm within each look of each run; which is which is a draw, as for a hash.

    Attributes:
        counts: (runs, looks, arms) units.
        starts: Where each of these stretches begins.
        factors: 1 + effect of every unit.
    """

    counts: NDArray[np.int64]
    starts: NDArray[np.intp]
    factors: Floats


def _every_unit(
    rng: np.random.Generator, what: Draw, values: Callable[[np.random.Generator, Floats], Floats]
) -> list[Sums]:
    layout = _layout(rng, what)
    y = values(rng, layout.factors)
    return _summed(layout, (y, y * y))


def _every_pair(
    rng: np.random.Generator,
    what: Draw,
    pairs: Callable[[np.random.Generator, Floats], tuple[Floats, Floats]],
) -> list[Sums]:
    layout = _layout(rng, what)
    y, x = pairs(rng, layout.factors)
    return _summed(layout, (y, y * y, x, x * x, x * y))


def _layout(rng: np.random.Generator, what: Draw) -> _Layout:
    counts = rng.multinomial(np.array(what.units), what.parts, size=(what.runs, len(what.units)))
    sizes = counts.ravel()
    factors = np.repeat(np.tile(1.0 + np.array(what.effects), what.runs * len(what.units)), sizes)
    return _Layout(counts, np.minimum(sizes.cumsum() - sizes, len(factors) - 1), factors)


def _summed(layout: _Layout, columns: Sequence[Floats]) -> list[Sums]:
    """Add each stretch up, and the looks one on another; an empty stretch is 0, which reduceat cannot say."""
    empty = layout.counts == 0
    sums = [layout.counts.astype(float).cumsum(1)]
    for column in columns:
        stretches = np.add.reduceat(column, layout.starts).reshape(layout.counts.shape)
        sums.append(np.where(empty, 0.0, stretches).cumsum(1))
    return [Sums(*(column[..., k] for column in sums)) for k in range(layout.counts.shape[2])]


def _estimated(world: World) -> Arm:
    """Return moments from one large draw of control."""
    (sums,) = world.draw(np.random.default_rng(0), Draw(1, (1_000_000,), (1.0,), (0.0,)))
    n, y, yy = (float(column[0, -1]) for column in sums[:3])
    if sums.x is None or sums.xx is None or sums.xy is None:
        return Arm(0, y / n, yy / n - (y / n) ** 2)
    x, xx, xy = (float(column[0, -1]) for column in (sums.x, sums.xx, sums.xy))
    ratio, mean = y / x, x / n
    variance = (yy / n - (y / n) ** 2) - 2 * ratio * (xy / n - y * x / n**2) + ratio**2 * (xx / n - mean**2)
    return Arm(0, ratio, variance / mean**2)
