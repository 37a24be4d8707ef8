"""`assay report`: an Experiment as Markdown: what was asked, what came out, and on which numbers."""

import argparse
from collections.abc import Iterator

from assay_api import Experiment
from assay_api.duration import spelled
from assay_api.experiment_status import Analysis, Checks
from assay_cli import target


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("report", help="an Experiment as Markdown", description=__doc__)
    parser.add_argument("experiment", help="name of the Experiment")
    target.add_cluster(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the report; raises OSError if the cluster can't be asked."""
    print("\n".join(page(target.experiment(options, options.experiment))))
    return 0


def page(experiment: Experiment) -> Iterator[str]:
    """Yield the lines of the report."""
    spec, status = experiment.spec, experiment.status
    yield f"# {experiment.metadata.name}: {status.phase or 'not begun'}"
    if spec.hypothesis:
        yield f"\n> {spec.hypothesis}"
    yield from _ending(experiment)
    yield "\n| arm | version | share | units |\n|---|---|---|---|"
    yield from (f"| {arm.name} | {arm.version} | {arm.share:g}% | {arm.units:,} |" for arm in status.arms)
    if status.analysis:
        level = f"{100 * (1 - spec.decision.alpha):.4g}% CS"
        yield f"\n| metric | role | arm | control | effect | {level} | lift | {level} | p | n | says |"
        yield "|---|---|---|---|---|---|---|---|---|---|---|"
        yield from map(_row, status.analysis)
    if status.checks:
        yield from _checks(status.checks)


def _ending(experiment: Experiment) -> Iterator[str]:
    status = experiment.status
    if status.started_at and status.decision:
        took = spelled((status.decision.at - status.started_at).total_seconds())
        yield f"\n**{status.decision.verdict}** after {took}: {status.decision.message}"
    elif status.decision:
        yield f"\n**{status.decision.verdict}**: {status.decision.message}"
    else:
        yield from (f"\n{c.reason}: {c.message}" for c in status.conditions if c.type == "Progressing")


def _row(line: Analysis) -> str:
    numbers = (
        _number(line.control),
        _number(line.estimate, "+.4g"),
        _ends(line.low, line.high, ".4g"),
        _number(line.lift, "+.1%"),
        _ends(line.lift_low, line.lift_high, "+.1%"),
        _number(line.p_value),
        f"{line.units:,}",
    )
    return f"| {line.metric} | {line.role} | {line.arm} | {' | '.join(numbers)} | {line.says} |"


def _ends(low: float | None, high: float | None, form: str) -> str:
    """Return an interval; an end that is not bounded yet is a dash."""
    return "-" if low is None and high is None else f"{_number(low, form)} to {_number(high, form)}"


def _checks(checks: Checks) -> Iterator[str]:
    yield f"\nSplit: {checks.srm}. Audit: {checks.audit}. Newest data: {checks.freshness}."
    yield (
        f"Left out: {checks.crossover_units} units in two arms, {checks.bot_units} bots; "
        f"{checks.late_outcomes} late outcomes, {checks.orphan_outcomes} of nobody enrolled."
    )
    if checks.sources:
        yield f"Without numbers: {checks.sources}."
    if checks.unknown_metrics:
        yield f"Outcomes name metrics that nobody declared: {', '.join(checks.unknown_metrics)}."


def _number(value: float | None, form: str = ".4g") -> str:
    return "-" if value is None else format(value, form)
