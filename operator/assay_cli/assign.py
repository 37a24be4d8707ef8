"""`assay assign`: the arm of a unit, computed here by the formula that the gateway follows."""

import argparse
import sys
from collections.abc import Iterable, Iterator

from assay_api import Experiment
from assay_assign import Interval, assigned, encode, slot
from assay_cli import target

NOT_RUNNING = "Experiment {0} splits nobody now: it is {1}"


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("assign", help="the arm of a unit", description=__doc__)
    parser.add_argument(
        "unit", nargs="+", help="values of the unit header; - reads them from stdin, one a line"
    )
    parser.add_argument("-e", "--experiment", help="name of a running Experiment")
    parser.add_argument("--salt", help="instead of a cluster: status.salt of the Experiment")
    parser.add_argument("--table", help="instead of a cluster: arm:from-to,arm:from-to")
    target.add_cluster(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print unit, slot and arm, separated by tabs.

    Raises:
        ValueError: Neither an Experiment nor salt and table are given, or it doesn't run.
        OSError: The cluster can't be asked.
    """
    salt, table = _split(options)
    for unit in _units(options.unit):
        print(unit, slot(salt, unit), assigned(salt, unit, table), sep="\t")
    return 0


def _split(options: argparse.Namespace) -> tuple[str, str]:
    if options.experiment and not (options.salt or options.table):
        return of(target.experiment(options, options.experiment))
    if options.salt and options.table and not options.experiment:
        return options.salt, options.table
    raise ValueError("say --experiment, or both --salt and --table")


def of(experiment: Experiment) -> tuple[str, str]:
    """Return the salt and the table of an Experiment: those that are in force, or were at its end.

    Raises:
        ValueError: It splits nobody.
    """
    status = experiment.status
    ended = status.decision.evidence if status.decision else None
    salt, table = (ended.salt, ended.table) if ended else (status.state.salt, status.state.table)
    if not table:
        raise ValueError(NOT_RUNNING.format(experiment.metadata.name, status.phase or "not begun"))
    return salt, encode(Interval(slots.arm, slots.start, slots.end) for slots in table)


def _units(given: Iterable[str]) -> Iterator[str]:
    for unit in given:
        if unit == "-":
            yield from (line.rstrip("\n") for line in sys.stdin)
        else:
            yield unit
