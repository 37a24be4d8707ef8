"""Metrics that outcomes name and no Experiment declares: a few names of each Model, the newest."""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from assay_collector.store.schema import unknown_metrics

MOST = 20  # names of a Model
MINUTE = 60_000_000


def note(connection: Connection, model: int, names: Collection[str], now: int) -> bool:
    """Keep names that are new, or not noted for a minute, and tell whether one was new; the oldest give way.

    The caller holds the Experiments of the Model, so that nobody else writes these rows.
    """
    columns = unknown_metrics.c
    found = connection.execute(select(columns.name, columns.at).where(columns.model == model))
    known: dict[str, int] = {row.name: row.at for row in found}
    due = [name for name in sorted(names)[:MOST] if name not in known or known[name] <= now - MINUTE]
    if not due:
        return False
    old = sorted(known.keys() - due, key=lambda name: (-known[name], name))[MOST - len(due) :]
    match = (columns.model == model) & columns.name.in_([*due, *old])
    connection.execute(delete(unknown_metrics).where(match))
    connection.execute(insert(unknown_metrics), [{"model": model, "name": name, "at": now} for name in due])
    return not known.keys() >= set(due)


def noted(connection: Connection, model: int, since: int) -> list[str]:
    """Return the names that came since a moment, in alphabetical order."""
    columns = unknown_metrics.c
    wanted = select(columns.name).where((columns.model == model) & (columns.at >= since))
    return list(connection.execute(wanted.order_by(columns.name)).scalars())
