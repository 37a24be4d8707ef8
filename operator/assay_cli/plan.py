"""`assay plan`: how many units and days an Experiment needs, or what would be done next with a Model.

Of an Experiment: how many units, how many days, and whether it can finish, for every method. Of a Model
(`-f`): what the operator would do next with it in the cluster, without doing it.
"""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from assay_cli import plan_goal, plan_model, target
from assay_stats.duration import Method, Plan, plan
from assay_stats.planning import Design, minimum_detectable_effect

if TYPE_CHECKING:
    from assay_cli.plan_goal import PlanRequest

METHODS: tuple[Method, ...] = ("Sequential", "GroupSequential", "Fixed")
ADVICE = {
    "Sequential": "may be looked at every second",
    "GroupSequential": "five looks, O'Brien-Fleming",
    "Fixed": "one look at the end",
}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "plan",
        help="units and days that an Experiment needs; with -f: what would be done with a Model",
        description=__doc__,
    )
    plan_goal.add_arguments(parser)
    parser.add_argument("--units-per-day", type=float, help="new units a day; tells the days")
    parser.add_argument("-f", "--model", help="a Model (YAML): what the operator would do next with it")
    target.add_cluster(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the plan; 1 if the sequential test cannot finish in time.

    Raises:
        ValueError: What is asked cannot be used.
        OSError: A file can't be read, or the cluster can't be asked.
    """
    if options.model:
        return plan_model.run(options)
    request = plan_goal.read(options)
    plans = plans_for(request, options.units_per_day)
    print("\n".join(lines(request, plans, options.units_per_day)))
    return 0 if plans[0].fits else 1


def plans_for(request: "PlanRequest", units_per_day: float | None = None) -> list[Plan]:
    """Return the plan of every method, the sequential one first.

    Raises:
        ValueError: Traffic that is not above 0.
    """
    if units_per_day is not None and not units_per_day > 0:
        raise ValueError(f"--units-per-day: {units_per_day} is not above 0")
    traffic = request.traffic(units_per_day) if units_per_day else None
    return [plan(request.goal, method, traffic) for method in METHODS]


def lines(request: "PlanRequest", plans: list[Plan], units_per_day: float | None) -> Iterator[str]:
    """Return the plan in words."""
    goal = request.goal
    yield (
        f"{request.kind} of {goal.base:g}, effect {goal.effect:+g} ({request.effect:.1%}), "
        f"alpha {request.alpha:g}, power {request.power:g}, "
        f"{request.names[0]}:{request.names[1]} {_ratio(request)}"
    )
    yield f"{'method':<16} {'control':>12} {request.names[1][:12]:>12} {'both':>12}  x    note"
    for found in plans:
        size = found.size
        yield (
            f"{found.method:<16} {size.control:>12,} {size.treatment:>12,} {size.total:>12,}  "
            f"{found.inflation:<4.2f} {ADVICE[found.method]}"
        )
    if units_per_day:
        yield from _days(request, plans[0], units_per_day)


def _days(request: "PlanRequest", found: Plan, units_per_day: float) -> Iterator[str]:
    yield f"at {units_per_day:,.0f} new units a day:"
    for k, (coverage, days) in enumerate(zip(request.coverages, found.days, strict=True), 1):
        yield f"  step {k}: {coverage:.0%} enrolled, {days:,.1f} days for all of it"
    yield f"sequential: {found.message}"
    if not found.fits:
        findable = _findable(request, units_per_day)
        yield f"in {request.max_days:g} days an effect of {findable:.2%} could be found"


def _findable(request: "PlanRequest", units_per_day: float) -> float:
    """Return the relative effect that the last step's traffic can find in time."""
    traffic, goal = request.traffic(units_per_day), request.goal
    units = units_per_day * traffic.pair_part * traffic.coverages[-1] * request.max_days
    design = Design(goal.alpha, goal.power, goal.share, plan(goal).inflation)
    arguments: dict[str, Any] = {"variance": goal.variance}
    return minimum_detectable_effect(goal.base, units, design, **arguments) / abs(goal.base)


def _ratio(request: "PlanRequest") -> str:
    return f"{request.weights[0]:g}:{request.weights[1]:g}"
