"""Before the start: how many units, how small an effect, how many days.

Closed forms of the fixed horizon, times what the chosen design costs. Conventions: two-sided alpha, `ratio`
is n_T / n_C, proportions with the pooled variance under the null.
"""

from math import ceil, sqrt
from typing import NamedTuple

from assay_stats import special


class Design(NamedTuple):
    """What a plan is made for.

    Attributes:
        alpha: Two-sided level.
        power: Chance to see the effect if it is there.
        share: The treatment's part of the units of the two arms.
        inflation: Units over those of one look at the end; see `INFLATION`.
    """

    alpha: float = 0.05
    power: float = 0.8
    share: float = 0.5
    inflation: float = 1.0


INFLATION = {"Fixed": 1.0, "GroupSequential": 1.03, "Sequential": 2.0}
"""Units over those of one look, from above; `duration.inflation` has the figure for a goal."""


class Size(NamedTuple):
    """Units per arm, rounded up."""

    control: int
    treatment: int

    @property
    def total(self) -> int:
        """Units of both arms."""
        return self.control + self.treatment


def units_per_arm(
    base: float, effect: float, design: Design | None = None, *, variance: float | None = None
) -> Size:
    """Return the units per arm that see `effect` with the design's power.

    Args:
        base: Control's expected mean (rate).
        effect: Absolute difference to see.
        design: Level, power, split and inflation; the defaults of `Design` when None.
        variance: Variance of one unit in both arms; None means a proportion.

    Raises:
        ValueError: No effect, or a rate outside (0, 1).

    >>> units_per_arm(0.10, 0.02)
    Size(control=3841, treatment=3841)
    """
    design = design or Design()
    ratio = design.share / (1 - design.share)
    if not effect:
        raise ValueError("effect: 0 can never be seen; name the smallest one that matters")
    if variance is not None:
        n = _mean_units(design, ratio, variance) / effect**2
    else:
        n = _proportion_units(base, base + effect, ratio, design) / effect**2
    n *= design.inflation
    return Size(ceil(n), ceil(n * ratio))


def minimum_detectable_effect(
    base: float, units: float, design: Design | None = None, *, variance: float | None = None
) -> float:
    """Return the smallest increase that `units` of both arms see with the design's power.

    Raises:
        ValueError: Too few units to see any increase of this rate.
    """
    design = design or Design()
    control = units * (1 - design.share) / design.inflation
    ratio = design.share / (1 - design.share)
    if variance is not None:
        return sqrt(_mean_units(design, ratio, variance) / control)
    low, high = 0.0, 1 - base
    if _proportion_units(base, 1.0, ratio, design) > control * high**2:
        raise ValueError(f"units: {units:g} are too few to see any increase of a rate of {base}")
    for _ in range(80):
        middle = (low + high) / 2
        enough = _proportion_units(base, base + middle, ratio, design) <= control * middle**2
        low, high = (low, middle) if enough else (middle, high)
    return high


def fixed_power(
    base: float, effect: float, size: Size, alpha: float = 0.05, *, variance: float | None = None
) -> float:
    """Return the power of one two-sided look at the end, the far tail left out."""
    ratio = size.treatment / size.control
    z = -float(special.ndtri(alpha / 2))
    if variance is not None:
        null = alternative = sqrt(variance * (1 + 1 / ratio))
    else:
        null, alternative = deviations(base, base + effect, ratio)
    return float(special.ndtr((abs(effect) * sqrt(size.control) - z * null) / alternative))


def _quantiles(design: Design) -> tuple[float, float]:
    return -float(special.ndtri(design.alpha / 2)), float(special.ndtri(design.power))


def _mean_units(design: Design, ratio: float, variance: float) -> float:
    return sum(_quantiles(design)) ** 2 * variance * (1 + 1 / ratio)


def _proportion_units(p_control: float, p_treatment: float, ratio: float, design: Design) -> float:
    for name, rate in (("base", p_control), ("base + effect", p_treatment)):
        if not 0 <= rate <= 1:
            raise ValueError(f"{name}: {rate} is not a rate")
    null, alternative = deviations(p_control, p_treatment, ratio)
    z_alpha, z_beta = _quantiles(design)
    return (z_alpha * null + z_beta * alternative) ** 2


def deviations(p_control: float, p_treatment: float, ratio: float) -> tuple[float, float]:
    """Return sqrt(n_C) times the standard deviation of the difference under the null and the alternative."""
    pooled = (p_control + ratio * p_treatment) / (1 + ratio)
    null = pooled * (1 - pooled) * (1 + 1 / ratio)
    alternative = p_control * (1 - p_control) + p_treatment * (1 - p_treatment) / ratio
    return sqrt(null), sqrt(alternative)
