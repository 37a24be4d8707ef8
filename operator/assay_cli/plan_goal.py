"""What `assay plan` and `assay simulate` are asked about: an Experiment in a file, or flags, or both.

Flags win over the file, so that a spec can be tried with another effect or split.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from assay_api import ExperimentSpec
from assay_api.duration import seconds
from assay_stats.duration import Goal, Traffic

DAY = 86_400.0


@dataclass(frozen=True)
class PlanRequest:
    """A question about one primary metric.

    Attributes:
        kind: Proportion or Mean.
        base: Control's expected mean or rate; None when the file does not say.
        effect: Relative effect to find.
        deviation: Standard deviation of a Mean.
        increase: Whether an increase is better.
        known: Whether the base rate is part of the plan (it chooses the rule).
        alpha: Two-sided level.
        power: Wanted power.
        names: Arms, control first.
        weights: Their weights.
        coverages: Enrolled part of all units at each ramp step.
        max_days: End of the experiment.
    """

    kind: str
    base: float
    effect: float
    deviation: float | None
    increase: bool
    known: bool
    alpha: float
    power: float
    names: tuple[str, ...]
    weights: tuple[float, ...]
    coverages: tuple[float, ...]
    max_days: float

    @property
    def share(self) -> float:
        """The first candidate's part of the units of control and itself."""
        return self.weights[1] / (self.weights[0] + self.weights[1])

    @property
    def goal(self) -> Goal:
        """The question as the statistics put it; the sign of the effect is that of the better direction."""
        sign = 1 if self.increase else -1
        variance = None if self.deviation is None else self.deviation**2
        return Goal(
            self.base, sign * self.effect * abs(self.base), variance, self.alpha, self.power, self.share
        )

    def traffic(self, units_per_day: float) -> Traffic:
        """What arrives, at a rate of new units a day."""
        pair = (self.weights[0] + self.weights[1]) / sum(self.weights)
        return Traffic(units_per_day, pair, self.coverages, self.max_days)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the file and the flags that both commands understand."""
    parser.add_argument("file", nargs="?", type=Path, help="an Experiment (YAML); flags win over it")
    parser.add_argument("--base", type=float, help="control's expected rate (or mean, with --deviation)")
    parser.add_argument("--deviation", type=float, help="standard deviation of one unit; makes it a Mean")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--effect", type=float, help="smallest effect that matters, absolute")
    size.add_argument("--relative", type=float, help="the same as a part of --base, such as 0.05")
    parser.add_argument("--decrease", action="store_true", default=None, help="a decrease is better")
    parser.add_argument("--weights", help="weights of the arms, control first (default 50,50)")
    parser.add_argument("--alpha", type=float, help="two-sided level over all looks (default 0.05)")
    parser.add_argument("--power", type=float, help="statistical power at that effect (default 0.8)")
    parser.add_argument("--max-days", type=float, help="end of the experiment (default 28)")


def read(options: argparse.Namespace) -> PlanRequest:
    """Join file and flags.

    Raises:
        ValueError: No base or effect in either, or values that make no sense.
    """
    found = (_from_file(options.file) if options.file else {}) | _from_flags(options)
    base, effect = found.get("base"), found.get("effect")
    absolute = found.get("absolute")
    if not base:
        raise ValueError("--base: the control's expected rate or mean is needed (metrics.primary.baseline)")
    if effect is None and absolute is not None:
        effect = absolute / abs(base)
    if not effect:
        raise ValueError("--effect or --relative: the smallest effect that matters is needed (minimumEffect)")
    values = (
        DEFAULTS | {k: v for k, v in found.items() if k != "absolute"} | {"base": base, "effect": abs(effect)}
    )
    values["kind"] = "Mean" if values["deviation"] is not None else "Proportion"
    request = PlanRequest(**values)
    _refuse(request)
    return request


DEFAULTS: dict[str, Any] = {
    "deviation": None,
    "increase": True,
    "known": True,
    "alpha": 0.05,
    "power": 0.8,
    "names": ("control", "candidate"),
    "weights": (50.0, 50.0),
    "coverages": (1.0,),
    "max_days": 28.0,
}


def _from_flags(options: argparse.Namespace) -> dict[str, Any]:
    weights = None if options.weights is None else tuple(float(w) for w in options.weights.split(","))
    names = None if weights is None else ("control", *(f"candidate-{k}" for k in range(1, len(weights))))
    given = {
        "base": options.base,
        "deviation": options.deviation,
        "effect": options.relative,
        "absolute": options.effect,
        "increase": None if options.decrease is None else not options.decrease,
        "alpha": options.alpha,
        "power": options.power,
        "weights": weights,
        "names": names,
        "max_days": options.max_days,
    }
    if options.effect is not None:
        given["effect"] = options.effect / abs(options.base) if options.base else None
    return {name: value for name, value in given.items() if value is not None}


def _from_file(path: Path) -> dict[str, Any]:
    manifest = next(
        (
            d
            for d in yaml.safe_load_all(path.read_text(encoding="utf-8"))
            if d and d.get("kind") == "Experiment"
        ),
        None,
    )
    if manifest is None:
        raise ValueError(f"{path}: holds no object of kind Experiment")
    spec = ExperimentSpec.written(manifest["spec"])
    primary = spec.metrics.primary
    if primary is None:
        raise ValueError(f"{path}: has no primary metric; a safe rollout is not planned for an effect")
    size, enrolled = primary.minimum_effect, 100 - spec.control.weight
    return {
        "base": primary.baseline,
        "deviation": primary.deviation if primary.type == "Mean" else None,
        "effect": size.relative if size else None,
        "absolute": size.absolute if size else None,
        "increase": primary.direction == "Increase",
        "known": primary.missing == "Zero",
        "alpha": spec.decision.alpha,
        "power": spec.decision.power,
        "names": tuple(arm.name for arm in spec.arms),
        "weights": tuple(float(arm.weight) for arm in spec.arms),
        "coverages": tuple(step.percent / enrolled for step in spec.ramp),
        "max_days": seconds(spec.decision.max_duration) / DAY,
    }


def _refuse(request: PlanRequest) -> None:
    if len(request.weights) <= 1 or min(request.weights) <= 0:
        raise ValueError(f"--weights: {request.weights} need two arms or more, all above 0")
    for name in ("alpha", "power"):
        if not 0 < getattr(request, name) < 1:
            raise ValueError(f"--{name}: {getattr(request, name)} is not between 0 and 1")
    if request.kind == "Proportion" and not 0 < request.base < 1:
        raise ValueError(f"--base: {request.base} is not a rate; give --deviation for a mean")
