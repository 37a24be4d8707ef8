"""Forgets what has expired, a little at a time: orphans, ids of exposures, units of finished Experiments.

What an Experiment came to, its sums and counters, stays for ever: a handful of rows.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, select, update

from assay_collector.ledger.book import Policy
from assay_collector.store import schema
from assay_collector.store.profiles import forget
from assay_collector.store.rows import Row, Rows, rows_of

STEP = 2_000  # rows in one transaction
ORPHANS = "orphans"


def sweep(connection: Connection, policy: Policy, now: int, step: int = STEP) -> bool:
    """Forget up to about `step` rows of each kind, and tell whether there is more to forget."""
    rows = rows_of(connection)
    return (
        _orphans(connection, rows, now - policy.grace, step)
        | _ids(connection, rows, now - policy.retention, step)
        | _finished(connection, rows, now - policy.retention, step)
        | forget(connection, now - policy.counts, step)
    )


def _orphans(connection: Connection, rows: Rows, due: int, step: int) -> bool:
    """Forget outcomes that have waited long enough for an exposure of their unit."""
    outcomes, cursors = schema.outcomes, schema.cursors
    since = connection.execute(select(cursors.c.at).where(cursors.c.name == ORPHANS)).scalar()
    if since is None:
        since = connection.execute(
            insert(cursors).values(name=ORPHANS, at=-1).returning(cursors.c.at)
        ).scalar_one()
    waited = (outcomes.c.arrived > since) & (outcomes.c.arrived <= due)
    nth = select(outcomes.c.arrived).where(waited).order_by(outcomes.c.arrived).offset(step - 1).limit(1)
    bound = connection.execute(nth).scalar()
    until = due if bound is None else bound
    expired = (outcomes.c.arrived > since) & (outcomes.c.arrived <= until)
    found = [tuple(row) for row in connection.execute(select(outcomes).where(expired))]
    if found:
        exposed = _exposed(connection, rows, found)
        rows.drop(outcomes, [row[:4] for row in found if (row[0], row[1]) not in exposed])
        connection.execute(update(cursors).where(cursors.c.name == ORPHANS).values(at=until))
    return bound is not None


def _exposed(connection: Connection, rows: Rows, outcomes: Sequence[Row]) -> set[tuple[int, bytes]]:
    """Return which (model, unit) of these outcomes are in an Experiment that still has its units."""
    by_model: dict[int, set[bytes]] = defaultdict(set)
    for row in outcomes:
        by_model[row[0]].add(row[1])
    return {
        (model, name) for model, names in by_model.items() for name in _known(connection, rows, model, names)
    }


def _known(
    connection: Connection, rows: Rows, model: int, names: Collection[bytes], but: int = -1
) -> set[bytes]:
    columns = schema.experiments.c
    match = (columns.model == model) & columns.folded.is_(False) & (columns.id != but)
    ids = connection.execute(select(columns.id).where(match)).scalars().all()
    return {row[1] for number in ids for row in rows.find(schema.units, number, tuple(names))}


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
        connection.execute(delete(schema.windows).where(schema.windows.c.experiment == oldest.id))
        connection.execute(update(schema.experiments).where(columns.id == oldest.id).values(folded=True))
    return True


def _units(connection: Connection, rows: Rows, number: int, model: int, step: int) -> bool:
    """Forget some units and their outcomes, and tell whether there were any."""
    of = select(schema.units.c.unit).where(schema.units.c.experiment == number).limit(step)
    names = connection.execute(of).scalars().all()
    if not names:
        return False
    elsewhere = _known(connection, rows, model, names, but=number)
    gone = [name for name in names if name not in elsewhere]
    rows.drop(schema.outcomes, [row[:4] for row in rows.find(schema.outcomes, model, gone)])
    rows.drop(schema.units, [(number, name) for name in names])
    return True
