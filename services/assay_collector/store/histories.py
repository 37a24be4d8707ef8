"""Histories in the store: a row for each unit of a Model, and rows of outcomes for those that have many."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from assay_collector.attribution.history import KEPT, History, read, write
from assay_collector.attribution.unit import Outcome
from assay_collector.store import schema
from assay_collector.store.rows import Row, Rows


def found(rows: Rows, model: int, names: Sequence[bytes]) -> dict[bytes, History]:
    """Return the stored histories of these units, by name."""
    return {name: read(state) for _, name, state in rows.find(schema.histories, model, names)}


def save(rows: Rows, model: int, changed: Mapping[bytes, History]) -> None:
    """Write histories down; outcomes that a row can't hold get rows of their own."""
    for name, history in changed.items():
        if len(history.outcomes) > KEPT:
            _spill(rows, model, name, history)
    # as they lie on disk: neighbours share a page
    rows.save(schema.histories, [(model, name, write(changed[name])) for name in sorted(changed)])


def drop(rows: Rows, model: int, gone: Mapping[bytes, History]) -> None:
    """Forget these units and their outcomes."""
    many = [name for name, history in gone.items() if history.spilled]
    rows.drop(schema.outcomes, [row[:4] for row in rows.find(schema.outcomes, model, many)])
    rows.drop(schema.histories, [(model, name) for name in gone])


def spilled(rows: Rows, model: int, name: bytes) -> list[Outcome]:
    """Return the outcomes of a unit that has rows of them."""
    return [outcome_of(row) for row in rows.find(schema.outcomes, model, [name])]


def add_spilled(
    rows: Rows, model: int, outcomes: Iterable[tuple[bytes, Outcome]]
) -> list[tuple[bytes, Outcome]]:
    """Add outcomes of such units, by name, and return those whose ids are new."""
    wanted = [row_of(model, name, outcome) for name, outcome in outcomes]
    return [(row[1], outcome_of(row)) for row in rows.add_new(schema.outcomes, wanted)]


def forget_spilled(rows: Rows, model: int, name: bytes, outcomes: Iterable[Outcome]) -> None:
    """Forget some outcomes of such a unit."""
    rows.drop(schema.outcomes, [row_of(model, name, outcome)[:4] for outcome in outcomes])


def grouped(pairs: Iterable[tuple[int, bytes]]) -> dict[int, list[bytes]]:
    """Return names by Model."""
    names: dict[int, list[bytes]] = defaultdict(list)
    for model, name in pairs:
        names[model].append(name)
    return names


def row_of(model: int, name: bytes, outcome: Outcome) -> Row:
    """Write an outcome as a row."""
    return (model, name, outcome.metric, outcome.key, outcome.at, outcome.value, outcome.arrived)


def outcome_of(row: Row) -> Outcome:
    """Read a row of `outcomes`."""
    return Outcome(*row[2:])


def _spill(rows: Rows, model: int, name: bytes, history: History) -> None:
    rows.save(schema.outcomes, [row_of(model, name, outcome) for outcome in history.outcomes])
    history.outcomes, history.spilled = [], True
