"""Group sequential designs: a few looks, a boundary for each, a maximum size.

Alpha is spent as information grows (Lan and DeMets 1983), so that looks may come at unequal times. The
boundaries follow by recursion over the looks (Armitage, McPherson and Rowe 1969; Jennison and Turnbull 2000,
chapter 19): the density of the score B(t) = Z sqrt(t) inside the boundaries, on a Simpson grid, is moved on
by a normal kernel, and the next boundary leaves just the look's part of alpha outside.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import e, expm1, log1p, sqrt
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
GRID = 801
COARSE = 401  # enough for a constant to 1e-6
CAP = 8.0
NEGLIGIBLE = 1e-16


@dataclass(frozen=True)
class Spending:
    """How one side's alpha is spent over information fractions.

    Attributes:
        name: OBrienFleming or Pocock (Lan-DeMets types), Power (alpha t^rho) or HwangShihDeCani.
        parameter: rho of Power, gamma of HwangShihDeCani.
    """

    name: Literal["OBrienFleming", "Pocock", "Power", "HwangShihDeCani"] = "OBrienFleming"
    parameter: float = 1.0

    def spent(self, alpha: float, fraction: float) -> float:
        """Return the one-sided alpha spent up to an information fraction; all of it from 1 on."""
        if fraction >= 1:
            return alpha
        if fraction <= 0:
            return 0.0
        return _SPENT[self.name](alpha, fraction, self.parameter)


_SPENT: dict[str, Callable[[float, float, float], float]] = {
    "OBrienFleming": lambda alpha, t, _: 2 * float(ndtr(float(ndtri(alpha / 2)) / sqrt(t))),
    "Pocock": lambda alpha, t, _: alpha * log1p((e - 1) * t),
    "Power": lambda alpha, t, rho: alpha * t**rho,
    "HwangShihDeCani": lambda alpha, t, gamma: (
        alpha * expm1(-gamma * t) / expm1(-gamma) if gamma else alpha * t
    ),
}


class Looks(NamedTuple):
    """A design with its boundaries.

    Attributes:
        fractions: Information fractions of the looks.
        z: Critical |z| (z when one-sided) at each look.
        spent: Alpha spent up to each look, over all sides.
    """

    fractions: tuple[float, ...]
    z: tuple[float, ...]
    spent: tuple[float, ...]


def boundaries(
    fractions: tuple[float, ...], alpha: float, *, sides: int = 2, spending: Spending | None = None
) -> Looks:
    """Return the boundaries of a spending design.

    Args:
        fractions: Rising information fractions; over-running looks (above 1) spend all that is left.
        alpha: Level over all sides.
        sides: 1, or 2 for a symmetric design that spends alpha / 2 a side.
        spending: How; O'Brien-Fleming type when None.

    Raises:
        ValueError: Fractions that do not rise from above 0, or a level outside (0, 1).
    """
    if not fractions or any(b <= a for a, b in zip((0.0, *fractions), fractions, strict=False)):
        raise ValueError(f"fractions: {fractions} must rise from above 0")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: {alpha} is not between 0 and 1")
    return _boundaries(fractions, alpha, sides, spending or Spending())


@lru_cache(maxsize=512)
def _boundaries(fractions: tuple[float, ...], alpha: float, sides: int, spending: Spending) -> Looks:
    spent = [spending.spent(alpha / sides, t) for t in fractions]
    walk, critical = _Walk(sides), []
    for t, increment in zip(fractions, np.diff([0.0, *spent]), strict=True):
        critical.append(walk.boundary(t, float(increment)))
        walk.step(t, critical[-1])
    return Looks(fractions, tuple(critical), tuple(sides * s for s in spent))


class _Walk:
    """The density of the score among paths that have not crossed yet."""

    def __init__(self, sides: int, grid: int = GRID) -> None:
        self.sides, self.grid = sides, grid
        self.time = 0.0
        self.points: Floats = np.zeros(1)
        self.mass: Floats = np.ones(1)

    def outside(self, t: float, z: float, drift: float = 0.0) -> float:
        """Return the chance to cross the upper boundary at t (and not before)."""
        return float(self.mass @ self._tail(t, z * sqrt(t), drift))

    def boundary(self, t: float, increment: float) -> float:
        """Return the z that leaves `increment` above it, at most CAP."""
        if increment < NEGLIGIBLE or self.outside(t, CAP) > increment:
            return CAP
        low, high = -CAP, CAP
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.outside(t, middle) > increment else (low, middle)
        return high

    def step(self, t: float, z: float, drift: float = 0.0) -> None:
        """Go on to look t with the paths inside its boundary."""
        top = z * sqrt(t)
        bottom = -top if self.sides == 2 else min(-CAP * sqrt(t) + drift * t, top - sqrt(t))  # noqa: PLR2004
        points = np.linspace(bottom, top, self.grid)
        sd = sqrt(t - self.time)
        gaps = (points[:, None] - self.points[None, :] - drift * (t - self.time)) / sd
        density = np.exp(-gaps * gaps / 2) @ self.mass / (sd * sqrt(2 * np.pi))
        self.points, self.mass, self.time = points, density * _simpson(points), t

    def _tail(self, t: float, top: float, drift: float) -> Floats:
        sd = sqrt(t - self.time)
        tail: Floats = ndtr((self.points + drift * (t - self.time) - top) / sd)
        return tail


def _simpson(points: Floats) -> Floats:
    weights = np.ones(len(points))
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    scaled: Floats = weights * (points[1] - points[0]) / 3
    return scaled


def crossing(
    fractions: tuple[float, ...], z: tuple[float, ...], drift: float, *, sides: int = 2, grid: int = GRID
) -> list[float]:
    """Return the chance to cross the upper boundary first at each look, under a drift.

    Args:
        fractions: Information fractions.
        z: Boundaries.
        drift: Expected z at fraction 1.
        sides: 2 if paths below -z stop as well.
        grid: Points (odd) on which the density is kept.
    """
    walk, chances = _Walk(sides, grid), []
    for t, bound in zip(fractions, z, strict=True):
        chances.append(walk.outside(t, bound, drift))
        walk.step(t, bound, drift)
    return chances


@lru_cache(maxsize=128)
def classic(looks: int, alpha: float, sides: int = 2, delta: float = 0.5) -> tuple[float, ...]:
    """Return the boundaries C (k / K)^(delta - 1/2) of Wang and Tsiatis (1987) for equal looks.

    delta 1/2 is Pocock's constant (1977), 0 that of O'Brien and Fleming (1979).
    """
    fractions = tuple(k / looks for k in range(1, looks + 1))

    def shape(constant: float) -> tuple[float, ...]:
        return tuple(constant * t ** (delta - 0.5) for t in fractions)

    def crossed(constant: float) -> float:
        return sides * sum(crossing(fractions, shape(constant), 0.0, sides=sides, grid=COARSE))

    return shape(brentq(lambda constant: crossed(constant) - alpha, 0.5, CAP, xtol=1e-9))


@lru_cache(maxsize=128)
def drift_for_power(fractions: tuple[float, ...], z: tuple[float, ...], power: float) -> float:
    """Return the expected final z at which the upper boundaries are crossed with the given power."""
    return float(
        brentq(lambda d: sum(crossing(fractions, z, d, sides=1, grid=COARSE)) - power, 0.0, 20.0, xtol=1e-9)
    )


def inflation(fractions: tuple[float, ...], z: tuple[float, ...], alpha: float, power: float) -> float:
    """Return the maximum size over that of one look; alpha is one-sided.

    >>> from assay_stats.groupsequential import boundaries, inflation
    >>> looks = boundaries((0.2, 0.4, 0.6, 0.8, 1.0), 0.025, sides=1)
    >>> round(inflation(looks.fractions, looks.z, 0.025, 0.9), 3)
    1.023
    """
    fixed = float(ndtri(1 - alpha) + ndtri(power))
    return (drift_for_power(fractions, z, power) / fixed) ** 2
