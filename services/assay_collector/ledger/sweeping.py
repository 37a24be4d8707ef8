"""Forgets what has expired, a little at a time: orphans, ids of exposures, units of finished Experiments.

What an Experiment came to, its sums and counters, stays for ever: a handful of rows.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select, update

from assay_collector.attribution.history import History, waiting
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store import answers, histories, schema
from assay_collector.store.experiments import held
from assay_collector.store.profiles import forget
from assay_collector.store.rows import Row, Rows, rows_of

STEP = 2_000  # rows in one transaction
MILLION = 1_000_000


def sweep(connection: Connection, policy: Policy, now: int, step: int = STEP) -> bool:
    """Forget up to about `step` rows of each kind, and tell whether there is more to forget."""
    rows = rows_of(connection)
    more = _ids(connection, rows, now - policy.retention, step) | forget(
        connection, now - policy.counts, step
    )
    more |= answers.forget(connection, (now - policy.answers) // MILLION, step)
    # one or the other: each holds Experiments, and two replicas that hold some each would wait for ever
    return (
        _orphans(connection, rows, now - policy.grace, step)
        or _finished(connection, rows, now - policy.retention, step)
        or more
    )


def _orphans(connection: Connection, rows: Rows, due: int, step: int) -> bool:
    """Forget outcomes that waited long enough for an exposure of their unit; tell whether there were any."""
    queue = schema.waiting
    oldest = select(queue).where(queue.c.arrived <= due).order_by(queue.c.arrived).limit(step)
    found: list[Row] = [tuple(row) for row in connection.execute(oldest)]
    by_model = histories.grouped((model, name) for _, model, name in found)
    held(connection, by_model)
    for model, names in by_model.items():
        known = histories.found(rows, model, names)
        alone = {name: history for name, history in known.items() if not history.units}
        _expired(rows, model, alone, due)
    rows.drop(queue, found)
    return bool(found)


def _expired(rows: Rows, model: int, alone: Mapping[bytes, History], due: int) -> None:
    """Forget what arrived until `due`; what came later goes on waiting."""
    left: dict[bytes, History] = {}
    for name, history in alone.items():
        outcomes = histories.spilled(rows, model, name) if history.spilled else history.outcomes
        if later := waiting(outcomes, due):
            left[name] = history
            rows.save(schema.waiting, [(min(outcome.arrived for outcome in later), model, name)])
            if history.spilled:
                gone = [outcome for outcome in outcomes if outcome.arrived <= due]
                histories.forget_spilled(rows, model, name, gone)
            else:
                history.outcomes = later
    histories.drop(rows, model, {name: history for name, history in alone.items() if name not in left})
    histories.save(rows, model, left)


def _ids(connection: Connection, rows: Rows, due: int, step: int) -> bool:
    """Forget the ids of exposures that nobody will send again."""
    columns = schema.experiments.c
    more = False
    for number in connection.execute(select(columns.id).where(columns.folded.is_(False))).scalars().all():
        more |= _ids_of(connection, rows, number, due, step)
    return more


def _ids_of(connection: Connection, rows: Rows, number: int, due: int, step: int) -> bool:
    ids = schema.exposures
    old = select(ids).where((ids.c.experiment == number) & (ids.c.at <= due)).order_by(ids.c.at).limit(step)
    found = [tuple(row) for row in connection.execute(old)]
    rows.drop(ids, found)
    return len(found) == step


def _finished(connection: Connection, rows: Rows, due: int, step: int) -> bool:
    """Fold the Experiment that finished first."""
    columns = schema.experiments.c
    finished = columns.closed.is_(True) & columns.folded.is_(False) & (columns.closed_at <= due)
    oldest = connection.execute(
        select(columns.id, columns.model)
        .where(finished)
        .order_by(columns.closed_at)
        .limit(1)
        .with_for_update()
    ).first()
    if oldest is None:
        return False
    if not _units(connection, rows, oldest.id, oldest.model, step):
        connection.execute(delete(schema.exposures).where(schema.exposures.c.experiment == oldest.id))
        for table in (schema.windows, schema.arrivals, schema.delays):
            connection.execute(delete(table).where(table.c.experiment == oldest.id))
        connection.execute(update(schema.experiments).where(columns.id == oldest.id).values(folded=True))
    return True


def _units(connection: Connection, rows: Rows, number: int, model: int, step: int) -> bool:
    """Forget some units, with their outcomes if nobody else has them, and tell whether there were any."""
    firsts = schema.firsts
    of: list[Row] = [
        tuple(row)
        for row in connection.execute(select(firsts).where(firsts.c.experiment == number).limit(step))
    ]
    known = histories.found(rows, model, [name for _, _, name in of])
    for history in known.values():
        del history.units[number]
    gone = {name: history for name, history in known.items() if not history.units}
    histories.drop(rows, model, gone)
    histories.save(rows, model, {name: history for name, history in known.items() if history.units})
    rows.drop(firsts, of)
    return bool(of)
