"""Counts of arrivals and delays in the store, and the lag that is learned from them."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from assay_collector.attribution.delay import learned
from assay_collector.attribution.experiment import Experiment
from assay_collector.store.schema import arrivals, delays, experiments, windows

Cells = Mapping[tuple[int, ...], int]
"""More or fewer units, by the key of their cell without the Experiment."""


class Lag(NamedTuple):
    """The age of which units are mature, and how far the sums of mature units have come, in microseconds."""

    length: int
    until: int


def add(connection: Connection, table: Table, experiment: int, changed: Cells) -> None:
    """Add to the counts of one Experiment; replicas take the cells in one order."""
    keys = [column.name for column in table.primary_key.columns]
    rows = [
        dict(zip(keys, (experiment, *cell), strict=True)) | {"n": changed[cell]}
        for cell in sorted(changed)
        if changed[cell]
    ]
    if rows:
        connection.execute(_adding(table, connection.dialect.name), rows)


@cache
def _adding(table: Table, dialect: str) -> Any:
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    more = {"n": table.c.n + statement.excluded.n}
    keys = [column.name for column in table.primary_key.columns]
    return statement.on_conflict_do_update(index_elements=keys, set_=more)


def lags(connection: Connection, ids: Collection[int]) -> dict[tuple[int, int], Lag]:
    """Return what is open of the windows and lags of these Experiments, by (Experiment, metric)."""
    found = connection.execute(select(windows).where(windows.c.experiment.in_(list(ids))))
    return {(row.experiment, row.metric): Lag(row.length, row.closed_until) for row in found}


def learning(connection: Connection) -> set[int]:
    """Return the running Experiments that have counts to learn a lag from."""
    counted = select(arrivals.c.experiment).where(arrivals.c.experiment == experiments.c.id).exists()
    wanted = select(experiments.c.id).where(experiments.c.closed.is_(False), counted)
    return set(connection.execute(wanted).scalars())


def relearn(connection: Connection, known: Collection[Experiment], now: int) -> set[int]:
    """Learn the lags of these Experiments anew, and return those of which one has changed."""
    before = lags(connection, [experiment.id for experiment in known])
    lengths = {key: length for experiment in known for key, length in _lengths(connection, experiment, now)}
    changed = {key: length for key, length in lengths.items() if before[key].length != length}
    for (number, position), length in sorted(changed.items()):
        match = (windows.c.experiment == number) & (windows.c.metric == position)
        connection.execute(update(windows).where(match).values(length=length))
    return {number for number, _ in changed}


def _lengths(
    connection: Connection, experiment: Experiment, now: int
) -> Iterator[tuple[tuple[int, int], int]]:
    """Yield each learned lag, or the one that holds until there is one."""
    metrics = {p: m for p, m in enumerate(experiment.plan.metrics) if m.lag is not None and m.learns_lag}
    if not metrics:
        return
    units = _counts(connection, arrivals, experiment.id).get((), {})
    outcomes = _counts(connection, delays, experiment.id)
    for position, metric in metrics.items():
        length = learned(outcomes.get((position,), {}), units, now - experiment.since)
        yield (experiment.id, position), (metric.lag or 0) if length is None else length


def _counts(connection: Connection, table: Table, experiment: int) -> dict[tuple[int, ...], dict[int, int]]:
    counts: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
    for _, *key, cell, n in connection.execute(select(table).where(table.c.experiment == experiment)):
        counts[tuple(key)][cell] = n
    return counts
