"""Outcomes: keep them, and add them to the units that have been exposed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from assay_collector.batch import Answer, Outcomes, Reported
from assay_collector.experiment import Experiment
from assay_collector.ledger.book import Book
from assay_collector.metric import Mark
from assay_collector.store import schema
from assay_collector.store.experiments import Ref, Scope
from assay_collector.store.rows import Row
from assay_collector.unit import Unit, observed


class Target(NamedTuple):
    """Where the outcomes of one metric of one Model go.

    Attributes:
        latest: The newest Experiment that declares the metric.
        live: Whether any that declares it is running.
    """

    model: int
    metric: int
    latest: Experiment
    live: bool


def record(book: Book, batch: Outcomes) -> Answer:
    """Take the outcomes of one request."""
    answer = Answer()
    by_model: dict[Ref, list[Row]] = defaultdict(list)
    kinds = {(reported.model, reported.metric) for reported in batch.rows}
    targets = {kind: _target(book, *kind) for kind in kinds}
    for reported in batch.rows:
        target = targets[reported.model, reported.metric]
        if target is None:
            answer.unknown += 1
        elif not target.live:
            answer.accepted += 1
            answer.late += 1
            book.changes[target.latest.id].count("late_outcomes")
        else:
            by_model[reported.model].append(_row(book, reported, target))
    for ref, rows in by_model.items():
        fresh = book.rows.add_new(schema.outcomes, rows)
        answer.duplicates += len(rows) - len(fresh)
        answer.accepted += len(fresh)
        _attribute(book, book.scopes[ref], fresh, answer)
    return answer


def _target(book: Book, model: Ref, name: str) -> Target | None:
    scope = book.scopes.get(model)
    metric = scope.metrics.get(name) if scope else None
    if scope is None or metric is None:
        return None
    users = [experiment for experiment in scope.experiments if metric in experiment.positions]
    return Target(scope.id, metric, users[-1], not all(e.closed for e in users)) if users else None


def _row(book: Book, reported: Reported, target: Target) -> Row:
    at = reported.at if reported.at < book.now else book.now  # whatever a clock says, it has happened
    return (target.model, reported.unit, target.metric, reported.key, at, reported.value, book.now)


def _attribute(book: Book, scope: Scope, rows: Sequence[Row], answer: Answer) -> None:
    live = [experiment for experiment in scope.experiments if not experiment.closed]
    names = {row[1] for row in rows}
    fates = [_attribute_to(book, experiment, rows, names) for experiment in live]
    for fate in zip(*fates, strict=True):
        answer.orphans += "applied" not in fate and "orphan" in fate
        answer.late += "applied" not in fate and "orphan" not in fate and "late" in fate


def _attribute_to(book: Book, experiment: Experiment, rows: Sequence[Row], names: set[bytes]) -> list[str]:
    units = book.load(experiment, names)
    fates = [_apply(book, experiment, units, row) for row in rows]
    change = book.changes[experiment.id] if rows else None
    if change is not None:
        change.ingested = True
        for fate, counter in (("orphan", "orphan_outcomes"), ("late", "late_outcomes")):
            if fate in fates:
                change.count(counter, fates.count(fate))
    return fates


def _apply(book: Book, experiment: Experiment, units: dict[bytes, Unit], row: Row) -> str:
    """Add one outcome to its unit and tell what became of it: applied, orphan, late or stranger."""
    _, name, number, _, at, value, arrived = row
    if (position := experiment.positions.get(number)) is None:
        return "stranger"
    if (unit := units.get(name)) is None:
        return "orphan"
    metric = experiment.plan.metrics[position]
    if not book.policy.patience.admits(metric.window, unit.first_at, at, arrived):
        return "late"
    units[name] = observed(unit, position, metric, Mark(value, at))
    return "applied"
