"""The sums in the store: counters of an Experiment, of its arms, and the moments of its cells."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy import case as sql_case

from assay_collector.attribution.moments import Moments
from assay_collector.store import delays, schema
from assay_collector.store.schema import arms, cells, experiments

Cell = tuple[int, int]  # arm and metric, by position


@dataclass(slots=True)
class Change:
    """What one transaction adds to the sums of one Experiment."""

    counters: dict[str, int] = field(default_factory=dict)
    units: dict[int, int] = field(default_factory=dict)
    exposures: dict[int, int] = field(default_factory=dict)
    cells: dict[Cell, dict[float, int]] = field(default_factory=dict)  # how often each value came and went
    arrivals: dict[tuple[int, ...], int] = field(default_factory=dict)
    delays: dict[tuple[int, ...], int] = field(default_factory=dict)  # by metric and cell
    last_exposure_at: int | None = None
    ingested: bool = False

    def count(self, counter: str, times: int = 1) -> None:
        """Add to a counter of the Experiment."""
        self.counters[counter] = self.counters.get(counter, 0) + times

    def move(
        self, counts: dict[tuple[int, ...], int], head: tuple[int, ...], old: int | None, new: int | None
    ) -> None:
        """Move a unit from one cell of `counts` to another; None is outside of them."""
        for cell, step in ((old, -1), (new, 1)) if old != new else ():
            if cell is not None:
                counts[*head, cell] = counts.get((*head, cell), 0) + step

    def replace(self, cell: Cell, old: float | None, new: float | None) -> None:
        """Take a unit's old value from a cell, if it had one, and add its new one, if it has one."""
        values = self.cells.setdefault(cell, {})
        if old is not None:
            values[old] = values.get(old, 0) - 1
        if new is not None:
            values[new] = values.get(new, 0) + 1


def apply(connection: Connection, experiment: int, change: Change, now: int, revision: int) -> None:
    """Add the change to what is stored."""
    _counters(connection, experiment, change, now, revision)
    for arm in change.units.keys() | change.exposures.keys():
        more = {"units": change.units.get(arm, 0), "exposures": change.exposures.get(arm, 0)}
        values = {name: arms.c[name] + number for name, number in more.items()}
        match = (arms.c.experiment == experiment) & (arms.c.arm == arm)
        connection.execute(update(arms).where(match).values(values))
    _cells(connection, experiment, change.cells)
    delays.add(connection, schema.arrivals, experiment, change.arrivals)
    delays.add(connection, schema.delays, experiment, change.delays)


def _counters(connection: Connection, experiment: int, change: Change, now: int, revision: int) -> None:
    columns = experiments.c
    values: dict[str, Any] = {name: columns[name] + number for name, number in change.counters.items()}
    values["revision"] = revision
    if change.ingested:
        values["last_ingest_at"] = now
    if (latest := change.last_exposure_at) is not None:
        newer = func.coalesce(columns.last_exposure_at, 0) < latest
        values["last_exposure_at"] = sql_case((newer, latest), else_=columns.last_exposure_at)
    connection.execute(update(experiments).where(columns.id == experiment).values(values))


def _cells(connection: Connection, experiment: int, changed: Mapping[Cell, Mapping[float, int]]) -> None:
    if not changed:
        return
    stored = moments(connection, experiment)
    match = (
        (cells.c.experiment == experiment)
        & (cells.c.arm == bindparam("to_arm"))
        & (cells.c.metric == bindparam("to_metric"))
    )
    rows = [
        {"to_arm": arm, "to_metric": metric, **_written(stored[arm, metric].plus(values))}
        for (arm, metric), values in changed.items()
    ]
    connection.execute(update(cells).where(match), rows)


def _written(moments: Moments) -> dict[str, int | str]:
    return {"n": moments.n, "total": f"{moments.total:x}", "squares": f"{moments.squares:x}"}


def moments(connection: Connection, experiment: int) -> dict[Cell, Moments]:
    """Return the moments of every cell of an Experiment."""
    found = connection.execute(select(cells).where(cells.c.experiment == experiment))
    return {(c.arm, c.metric): Moments(c.n, int(c.total, 16), int(c.squares, 16)) for c in found}
