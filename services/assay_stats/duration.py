"""How long it takes: units by method, days by traffic, and which step of the ramp could finish in time.

What a method costs over one look comes from its own boundary: the chance to cross it under a drift, by the
recursion of `groupsequential`; simulation confirms it (docs/statistics.md).
"""

from collections.abc import Sequence
from functools import lru_cache
from math import inf, sqrt
from typing import Literal, NamedTuple

from scipy.optimize import brentq
from scipy.special import ndtri

from assay_stats import groupsequential
from assay_stats.planning import Design, Size, units_per_arm
from assay_stats.rule import PLAN_PART, RARE, planned_concentration
from assay_stats.sequential import half_width, tuning

Method = Literal["Sequential", "GroupSequential", "Fixed"]
LOOKS = 40
GRID = 101
STAGES = 5
FEWEST = 0.05  # of the events that the mixture is tuned to: a plan of fewer is a plan of a handful of units
CALIBRATION = 1.05
"""What simulation asks for beyond the normal recursion, so that power is as planned at 90:10 too."""


class Goal(NamedTuple):
    """What is to be found.

    Attributes:
        base: Control's expected mean or rate.
        effect: Absolute difference.
        variance: Of one unit; None for a proportion.
        alpha: Two-sided level.
        power: Chance to see the effect.
        share: The candidate's part of the units of control and itself.
    """

    base: float
    effect: float
    variance: float | None = None
    alpha: float = 0.05
    power: float = 0.8
    share: float = 0.5


class Traffic(NamedTuple):
    """What arrives.

    Attributes:
        units_per_day: New units a day, before any coverage.
        pair_part: Part of the enrolled units that falls in control and this candidate (1 for two arms).
        coverages: Enrolled part of all units at each step of the ramp, in order.
        max_days: The experiment ends undecided after this.
    """

    units_per_day: float
    pair_part: float = 1.0
    coverages: tuple[float, ...] = (1.0,)
    max_days: float = 28.0


class Plan(NamedTuple):
    """A plan for one method.

    Attributes:
        method: Sequential, GroupSequential or Fixed.
        size: Units per arm with the wanted power.
        inflation: Units over those of one look.
        days: Days at each step's coverage.
        fits: Whether the last step finishes in time.
        first_step: First step (from 0) that would finish in time alone; None if none would.
        message: All of this in words.
    """

    method: Method
    size: Size
    inflation: float
    days: tuple[float, ...]
    fits: bool
    first_step: int | None
    message: str


def plan(goal: Goal, method: Method = "Sequential", traffic: Traffic | None = None) -> Plan:
    """Return the units and days that a method needs.

    Raises:
        ValueError: No effect, or a rate outside (0, 1).

    >>> plan(Goal(0.10, 0.02), "Fixed").size
    Size(control=3841, treatment=3841)
    """
    factor = inflation(goal, method)
    design = Design(goal.alpha, goal.power, goal.share, factor)
    size = units_per_arm(goal.base, goal.effect, design, variance=goal.variance)
    if traffic is None:
        return Plan(method, size, factor, (), fits=True, first_step=None, message=_words(method, size))
    days = tuple(
        size.total / (traffic.units_per_day * traffic.pair_part * c) if c else inf for c in traffic.coverages
    )
    first = next((k for k, time in enumerate(days) if time <= traffic.max_days), None)
    return Plan(
        method, size, factor, days, days[-1] <= traffic.max_days, first, _story(size, days, first, traffic)
    )


def inflation(goal: Goal, method: Method) -> float:
    """Return the units that a method needs over those of one look, for the same power."""
    if method == "Fixed":
        return 1.0
    if method == "GroupSequential":
        fractions = tuple(k / STAGES for k in range(1, STAGES + 1))
        z = groupsequential.boundaries(fractions, goal.alpha).z
        return groupsequential.inflation(fractions, z, goal.alpha / 2, goal.power)
    if goal.variance is None and min(goal.base, 1 - goal.base) < RARE:
        return CALIBRATION * _rare_inflation(goal)
    return CALIBRATION * sequential_inflation(goal.alpha, goal.power, PLAN_PART * tuning(goal.alpha))


def _rare_inflation(goal: Goal) -> float:
    """Return the inflation of the conditional test, which sees only units with the rarer outcome.

    Of K such units the treatment has the part q instead of s: z drifts by (q - s) sqrt(K / (s (1 - s))).
    The mixture's weight at the end is K over the concentration: found by going round a few times.
    """
    sign = 1 if goal.base <= 1 / 2 else -1
    rate = goal.base if sign > 0 else 1 - goal.base
    lift, s = sign * goal.effect / rate, goal.share
    q = s * (1 + lift) / (1 + s * lift)
    drift_of_one = (q - s) ** 2 / (s * (1 - s)) * rate * (1 + s * lift)
    fixed = units_per_arm(goal.base, goal.effect, Design(goal.alpha, goal.power, s)).total
    wanted = float(ndtri(1 - goal.alpha / 2) + ndtri(goal.power))
    wider = (sqrt(q * (1 - q) / (s * (1 - s))) - 1) * float(ndtri(goal.power))
    units = 2.0 * fixed
    for _ in range(4):
        events = rate * units
        weight = events * (1 + s * lift) / planned_concentration(events, goal.alpha)
        weight = float(f"{max(weight, FEWEST):.2g}")
        drift = wanted * sqrt(sequential_inflation(goal.alpha, goal.power, weight)) + wider
        units = drift**2 / drift_of_one
    return units / fixed


@lru_cache(maxsize=256)
def sequential_inflation(alpha: float, power: float, weight: float) -> float:
    """Return the inflation of a normal mixture whose weight at the planned end is `weight`.

    >>> 1.7 < sequential_inflation(0.05, 0.8, 31.7) < 2.0
    True
    """
    fractions = tuple(k / LOOKS for k in range(1, LOOKS + 1))
    z = tuple(float(half_width(weight * t / tuning(alpha), alpha)) for t in fractions)

    def missing(drift: float) -> float:
        return sum(groupsequential.crossing(fractions, z, drift, sides=1, grid=GRID)) - power

    end = z[-1] + float(ndtri(power))  # what the last look needs alone; the others can only help
    found = brentq(missing, 0.0, end, xtol=1e-4) if missing(end) > 0 else end
    return float((found / (ndtri(1 - alpha / 2) + ndtri(power))) ** 2)


def _words(method: Method, size: Size) -> str:
    return f"{method}: {size.control:,} + {size.treatment:,} units"


def _story(size: Size, days: Sequence[float], first: int | None, traffic: Traffic) -> str:
    if days[-1] <= traffic.max_days:
        return f"{size.total:,} units take {days[-1]:.1f} days at the last step, of {traffic.max_days:g}"
    if first is not None:
        return (
            f"cannot finish in {traffic.max_days:g} days at the last step ({days[-1]:.1f} needed); "
            f"step {first + 1} could, in {days[first]:.1f}"
        )
    return (
        f"cannot finish in {traffic.max_days:g} days at any step; the fastest needs {min(days):.1f}: "
        "accept a larger minimum effect, a longer maxDuration or more coverage"
    )
