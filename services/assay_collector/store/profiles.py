"""Counts in the store: one row for each version and window, with all of its columns."""

import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from assay_collector.batch import Counts
from assay_collector.store.schema import counts, profiles, senders

WINDOW = 300_000_000  # microseconds: counts are kept for each five minutes
MOST_PROFILES = 1_000  # of one namespace that are kept at a time
MILLION = 1_000_000

Owner = tuple[str, str, str, str]  # namespace, Model, version, digest of the profile
Columns = Mapping[str, Counts]


def number_of(connection: Connection, owner: Owner) -> int | None:
    """Return the row of a profile, made if need be, and locked; None if its namespace has too many."""
    columns = profiles.c
    names = (columns.namespace, columns.model, columns.version, columns.digest)
    match = [column == name for column, name in zip(names, owner, strict=True)]
    found = connection.execute(select(columns.id).where(*match).with_for_update()).scalar()
    if found is not None:
        return int(found)
    there = select(func.count()).select_from(profiles).where(columns.namespace == owner[0])
    if connection.execute(there).scalar_one() >= MOST_PROFILES:
        return None
    named = dict(zip(("namespace", "model", "version", "digest"), owner, strict=True))
    return int(connection.execute(insert(profiles).values(**named).returning(columns.id)).scalar_one())


def known(connection: Connection, profile: int, source: str, sequence: int, now: int) -> bool:
    """Tell whether a batch has come before, and remember it."""
    match = (senders.c.profile == profile) & (senders.c.source == source)
    last = connection.execute(select(senders.c.sequence).where(match)).scalar()
    if last is None:
        row = {"profile": profile, "source": source, "sequence": sequence, "at": now}
        connection.execute(insert(senders).values(**row))
        return False
    if last >= sequence:
        return True
    connection.execute(update(senders).where(match).values(sequence=sequence, at=now))
    return False


def window(connection: Connection, profile: int, at: int) -> tuple[int, Columns] | None:
    """Return rows and columns of the window that has this moment."""
    match = (counts.c.profile == profile) & (counts.c.at == _begin(at))
    row = connection.execute(select(counts.c.rows, counts.c.columns).where(match)).first()
    return None if row is None else (row.rows, _unpacked(row.columns))


def save(connection: Connection, profile: int, at: int, rows: int, columns: Columns, *, new: bool) -> None:
    """Write a window down."""
    values = {"rows": rows, "columns": zlib.compress(orjson.dumps(columns), 1)}
    match = (counts.c.profile == profile) & (counts.c.at == _begin(at))
    if new:
        connection.execute(insert(counts).values(profile=profile, at=_begin(at), **values))
    else:
        connection.execute(update(counts).where(match).values(**values))


def merged(left: Columns, right: Columns) -> dict[str, dict[str, list[int]]] | None:
    """Add counts up, column by column; None if one has another number of cells than before."""
    total = {part: {name: list(cells) for name, cells in left.get(part, {}).items()} for part in left}
    for part, columns in right.items():
        into = total.setdefault(part, {})
        for name, cells in columns.items():
            before = into.get(name)
            if before is not None and len(before) != len(cells):
                return None
            added = cells if before is None else map(int.__add__, before, cells)
            into[name] = list(added)
    return total


def summed(
    connection: Connection, names: tuple[str, str, str], since: int, until: int
) -> list[dict[str, Any]]:
    """Return the counts of a version between two moments, one sum for each profile that it had."""
    columns = profiles.c
    match = zip((columns.namespace, columns.model, columns.version), names, strict=True)
    found = connection.execute(select(columns.id, columns.digest).where(*(c == name for c, name in match)))
    sums = [_sum(connection, row.id, row.digest, since, until) for row in found.all()]
    return [one for one in sums if one["rows"]]


def forget(connection: Connection, due: int, step: int) -> bool:
    """Forget windows, senders and profiles older than `due`, and tell whether there is more to forget."""
    gone = connection.execute(delete(senders).where(senders.c.at <= due)).rowcount
    old = select(counts.c.profile, counts.c.at).where(counts.c.at <= due).order_by(counts.c.at).limit(step)
    found = connection.execute(old).all()
    for row in found:
        connection.execute(delete(counts).where((counts.c.profile == row.profile) & (counts.c.at == row.at)))
    if found or gone:
        used = select(counts.c.profile).union(select(senders.c.profile))
        connection.execute(delete(profiles).where(profiles.c.id.not_in(used)))
    return len(found) == step


def _sum(connection: Connection, profile: int, digest: str, since: int, until: int) -> dict[str, Any]:
    total: dict[str, dict[str, list[int]]] = {}
    rows, first, last = 0, None, None
    for row in connection.execute(_between(profile, since, until)):
        added = merged(total, _unpacked(row.columns))
        assert added is not None  # windows of one profile have the same cells
        total, rows, last = added, rows + row.rows, row.at + WINDOW
        first = row.at if first is None else first
    return {
        "profile": digest,
        "rows": rows,
        "from": _moment(first),
        "until": _moment(last),
        "features": total.get("features", {}),
        "predictions": total.get("predictions", {}),
    }


def _between(profile: int, since: int, until: int) -> Select[Any]:
    inside = (counts.c.at >= _begin(since)) & (counts.c.at < until)
    return select(counts).where((counts.c.profile == profile) & inside).order_by(counts.c.at)


def _begin(at: int) -> int:
    return at - at % WINDOW


def _unpacked(content: bytes) -> Columns:
    columns: Columns = orjson.loads(zlib.decompress(content))
    return columns


def _moment(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / MILLION, UTC).isoformat()
