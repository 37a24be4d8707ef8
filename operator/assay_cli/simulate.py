"""`assay simulate`: an Experiment that never happened, a few thousand times, under the installed rules.

Prints how often the rules err without a difference and how often they find the one that matters, when
they stop, and the Monte-Carlo error of every figure. The data are zeros and ones at the planned rate, or
log-normal amounts with the planned mean and deviation.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log1p, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

from assay_cli import plan_goal
from assay_cli.simulate_plot import draw
from assay_stats import Rule, primary_rule
from assay_stats.duration import plan
from assay_stats.groupsequential import Spending
from assay_stats.simulation import (
    Bernoulli,
    Design,
    Fixed,
    LogNormal,
    Naive,
    Outcome,
    Staged,
    Test,
    World,
    simulate,
)
from assay_stats.simulation.experiment import QUANTILES

if TYPE_CHECKING:
    from assay_cli.plan_goal import PlanRequest

ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class Size:
    """How much to simulate."""

    runs: int = 2000
    looks: int = 100
    units_per_look: int = 0
    seed: int = 1
    cores: int = 1


@dataclass(frozen=True)
class Simulated:
    """The same experiment without and with the effect."""

    rule: Test
    units: int
    without: Outcome
    with_effect: Outcome


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "simulate", help="type-I error, power and stopping times of an Experiment", description=__doc__
    )
    plan_goal.add_arguments(parser)
    parser.add_argument("--runs", type=int, default=2000, help="experiments to simulate, each way")
    parser.add_argument("--looks", type=int, default=100, help="equally spaced looks")
    parser.add_argument(
        "--units-per-look", type=int, default=0, help="units of all arms (default: as planned)"
    )
    parser.add_argument("--method", choices=sorted(TESTS), default="Sequential", help="what decides")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plot", type=Path, help="write the picture here (.png or .svg)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Simulate and print; 1 if false positives exceed alpha by more than three Monte-Carlo errors."""
    request = plan_goal.read(options)
    size = Size(options.runs, options.looks, options.units_per_look, options.seed, options.cores)
    found = simulated(request, size, options.method, None if options.quiet else _show)
    print("\n".join(lines(request, found)))
    if options.plot:
        draw(found.without, found.with_effect, request.alpha, options.plot)
        print(f"picture: {options.plot}")
    return 0 if found.without.decided.at_most(request.alpha, size.runs) else 1


def simulated(
    request: "PlanRequest", size: Size, method: str = "Sequential", progress: ProgressCallback | None = None
) -> Simulated:
    """Run the experiment without and with the effect.

    Raises:
        ValueError: Counts that are not above 0.
    """
    if min(size.runs, size.looks, size.cores) < 1 or size.units_per_look < 0:
        raise ValueError("--runs, --looks, --cores and --units-per-look: must be above 0")
    units = size.units_per_look * size.looks or _planned(request)
    test = TESTS[method](request, units)
    schedule = (max(1, round(units / size.looks)),) * size.looks
    outcomes = [
        simulate(
            Design(_world(request), test, schedule, request.weights, effects, request.increase),
            runs=size.runs, seed=size.seed, cores=size.cores, progress=progress,
        )
        for effects in _effects(request)
    ]  # fmt: skip
    return Simulated(test, sum(schedule), *outcomes)


def lines(request: "PlanRequest", found: Simulated) -> Iterator[str]:
    """Return the outcome in words."""
    a, b = found.without, found.with_effect
    name = f"{found.rule.type} by {found.rule.method}" if isinstance(found.rule, Rule) else repr(found.rule)
    yield f"{name}; {a.runs:,} runs, {len(a.curve):,} looks, {found.units:,} units, arms {_arms(request)}"
    yield f"no difference : {_rate(a.decided.value, a.decided.error)} decided (alpha {request.alpha:g})"
    power = _rate(b.better.value, b.better.error)
    yield f"effect {request.goal.effect:+.4g}: {power} better, {b.worse.value:.4f} worse"
    yield "stops at (part of all units, undecided runs count as 1):"
    for word, outcome in (("no difference", a), ("effect", b)):
        quantiles = "  ".join(f"q{q:g} {stop:.2f}" for q, stop in zip(QUANTILES, outcome.stops, strict=True))
        yield f"  {word:<13} mean {_rate(outcome.mean_stop, outcome.mean_stop_error)}  {quantiles}"


def _planned(request: "PlanRequest") -> int:
    """Return the units of all arms with which the sequential plan finds the effect in the first candidate."""
    pair = (request.weights[0] + request.weights[1]) / sum(request.weights)
    return round(plan(request.goal).size.total / pair)


def _effects(request: "PlanRequest") -> tuple[tuple[float, ...], tuple[float, ...]]:
    others = (0.0,) * (len(request.weights) - 2)
    signed = request.goal.effect / request.base
    return (0.0, *others), (signed, *others)


def _world(request: "PlanRequest") -> World:
    if request.deviation is None:
        return Bernoulli(request.base)
    return LogNormal(sqrt(log1p((request.deviation / request.base) ** 2)))


def _sequential(request: "PlanRequest", units: float) -> Test:
    pair = (request.weights[0] + request.weights[1]) / sum(request.weights)
    return primary_rule(
        "Proportion" if request.deviation is None else "Mean",
        alpha=request.alpha,
        planned_units=units * pair,
        base_rate=request.base if request.deviation is None and request.known else None,
        direction="Increase" if request.increase else "Decrease",
    )


TESTS: dict[str, Callable[["PlanRequest", float], Test]] = {
    "Sequential": _sequential,
    "GroupSequential": lambda request, _: Staged(request.alpha),
    "Pocock": lambda request, _: Staged(request.alpha, spending=Spending("Pocock")),
    "Fixed": lambda request, _: Fixed(request.alpha),
    "NaivePeeking": lambda request, _: Naive(request.alpha),
}


def _show(done: int, runs: int) -> None:
    """Tell a person at a terminal how far it is; a log gets nothing."""
    if sys.stderr.isatty():
        end = "\n" if done == runs else ""
        print(f"\r{done:,} of {runs:,} runs", end=end, file=sys.stderr, flush=True)


def _rate(value: float, error: float) -> str:
    return f"{value:.4f} +- {error:.4f}"


def _arms(request: "PlanRequest") -> str:
    return ", ".join(
        f"{name} {weight:g}" for name, weight in zip(request.names, request.weights, strict=True)
    )
