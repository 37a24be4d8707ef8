"""Outcomes: keep them, and add them to the units that have been exposed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from enum import IntEnum
from typing import NamedTuple

from assay_collector.attribution.experiment import Experiment, Ref
from assay_collector.attribution.metric import Mark
from assay_collector.attribution.unit import Outcome, Unit, observed
from assay_collector.batch import Answer, Outcomes, Reported
from assay_collector.ledger.unit_of_work import UnitOfWork
from assay_collector.store import histories, unknown
from assay_collector.store.experiments import Scope

MOST_STRANGERS = 20  # metrics that are named in an answer
Named = tuple[bytes, Outcome]  # an outcome and the unit that it is of


class Target(NamedTuple):
    """Where the outcomes of one metric of one Model go.

    Attributes:
        metric: Its row number.
        latest: The newest Experiment that declares it.
        live: Whether any that declares it is running.
    """

    metric: int
    latest: Experiment
    live: bool


class Fate(IntEnum):
    """What became of an outcome in one Experiment."""

    APPLIED = 0
    ORPHAN = 1
    LATE = 2
    STRANGER = 3


_APPLIED, _ORPHAN, _LATE, _STRANGER = Fate  # a member's look-up by name takes longer than it seems
_COUNTERS = {_ORPHAN: "orphan_outcomes", _LATE: "late_outcomes"}


def record(book: UnitOfWork, batch: Outcomes) -> Answer:
    """Take the outcomes of one request."""
    answer = Answer()
    by_model: dict[Ref, list[Named]] = defaultdict(list)
    kinds = {(reported.model, reported.metric) for reported in batch.rows}
    targets = {kind: _target(book, *kind) for kind in kinds}
    strangers = {name for (_, name), target in targets.items() if target is None}
    answer.unknown_metrics = tuple(sorted(strangers)[:MOST_STRANGERS])
    _note_unknown(book, {kind for kind, target in targets.items() if target is None})
    for reported in batch.rows:
        target = targets[reported.model, reported.metric]
        if target is None:
            answer.unknown += 1
        elif not target.live:
            answer.accepted += 1
            answer.late += 1
            book.changes[target.latest.id].count("late_outcomes")
        else:
            by_model[reported.model].append((reported.unit, _outcome(book, reported, target)))
    for ref, named in by_model.items():
        _record(book, book.scopes[ref], named, answer)
    return answer


def _note_unknown(book: UnitOfWork, kinds: Set[tuple[Ref, str]]) -> None:
    """Let the operator know the names that a running Experiment could have meant."""
    for ref in {ref for ref, _ in kinds}:
        scope = book.scopes.get(ref)
        live = [experiment for experiment in scope.experiments if not experiment.closed] if scope else []
        if scope and live and unknown.note(book.connection, scope.id, _names(kinds, ref), book.now):
            for experiment in live:
                book.changes[experiment.id].count("late_outcomes", 0)


def _names(kinds: Set[tuple[Ref, str]], ref: Ref) -> list[str]:
    return [name for model, name in kinds if model == ref]


def _record(book: UnitOfWork, scope: Scope, named: Sequence[Named], answer: Answer) -> None:
    known = book.load(scope.id, {name for name, _ in named})
    many = [one for one in named if known[one[0]].spilled]
    few = [one for one in named if not known[one[0]].spilled] if many else named
    fresh = book.keep(scope.id, few)
    if many:
        fresh += histories.add_spilled(book.rows, scope.id, many)
    answer.duplicates += len(named) - len(fresh)
    answer.accepted += len(fresh)
    live = [experiment for experiment in scope.experiments if not experiment.closed]
    if fresh:
        for experiment in live:
            book.changes[experiment.id].ingested = True
    for name, outcome in fresh:
        units = known[name].units
        fates = {_attributed(book, experiment, name, units, outcome) for experiment in live}
        if _APPLIED not in fates:
            answer.orphans += _ORPHAN in fates
            answer.late += _ORPHAN not in fates and _LATE in fates


def _target(book: UnitOfWork, model: Ref, name: str) -> Target | None:
    scope = book.scopes.get(model)
    metric = scope.metrics.get(name) if scope else None
    if scope is None or metric is None:
        return None
    users = [experiment for experiment in scope.experiments if metric in experiment.positions]
    return Target(metric, users[-1], not all(e.closed for e in users)) if users else None


def _outcome(book: UnitOfWork, reported: Reported, target: Target) -> Outcome:
    at = reported.at if reported.at < book.now else book.now  # whatever a clock says, it has happened
    return Outcome(target.metric, reported.key, at, reported.value, book.now)


def _attributed(
    book: UnitOfWork, experiment: Experiment, name: bytes, units: Mapping[int, Unit], outcome: Outcome
) -> Fate:
    """Add one outcome to its unit, and tell what became of it."""
    if (position := experiment.positions.get(outcome.metric)) is None:
        return _STRANGER
    unit, metric = units.get(experiment.id), experiment.plan.metrics[position]
    if unit is not None and book.policy.patience.admits(
        metric.window, unit.first_at, outcome.at, outcome.arrived
    ):
        after = observed(unit, position, metric, Mark(outcome.value, outcome.at, outcome.arrived))
        if after is not unit:
            book.mark(experiment, name, after, position)
        return _APPLIED
    fate = _ORPHAN if unit is None else _LATE
    book.changes[experiment.id].count(_COUNTERS[fate])
    return fate
