"""Counts of answers in the store: one row for each version and second, kept while they matter.

What is read of them are sums over seconds of the share of answers that failed: a second is one observation,
whatever the number of its requests, which are anything but independent of each other.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Double, cast, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from assay_assign import SLOWER_THAN
from assay_collector.batch import SumQuery
from assay_collector.store.schema import answers, versions

MOST_VERSIONS = 10_000  # that have counts at a time
Owner = tuple[str, str, str]  # namespace, Model, version
Counts = tuple[int, ...]  # requests, errors, slower than each bar
COLUMNS = tuple(column.name for column in answers.columns)[2:]


def number_of(connection: Connection, owner: Owner) -> int | None:
    """Return the row of a version, made if need be; None if there are too many already."""
    if (found := _found(connection, owner)) is not None:
        return found
    if connection.execute(select(func.count()).select_from(versions)).scalar_one() >= MOST_VERSIONS:
        return None
    named = dict(zip(("namespace", "model", "version"), owner, strict=True))
    connection.execute(_insert(connection)(versions).values(**named).on_conflict_do_nothing())
    return _found(connection, owner)


def _found(connection: Connection, owner: Owner) -> int | None:
    columns = versions.c
    match = zip((columns.namespace, columns.model, columns.version), owner, strict=True)
    found: int | None = connection.execute(
        select(columns.id).where(*(column == name for column, name in match))
    ).scalar()
    return found


def add(connection: Connection, rows: Mapping[tuple[int, int], Counts]) -> None:
    """Add counts by version's row and second; replicas take them in one order, so no two block."""
    keyed = [
        {"version": version, "second": second, **dict(zip(COLUMNS, rows[version, second], strict=True))}
        for version, second in sorted(rows)
    ]
    connection.execute(_adding(connection.dialect.name), keyed)


@cache
def _adding(dialect: str) -> Any:
    statement = (sqlite if dialect == "sqlite" else postgresql).insert(answers)
    more = {name: answers.c[name] + statement.excluded[name] for name in COLUMNS}
    return statement.on_conflict_do_update(index_elements=["version", "second"], set_=more)


def _insert(connection: Connection) -> Any:
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def summed(connection: Connection, query: SumQuery, now: float) -> dict[str, Any]:
    """Return the sums over the seconds of one question; the present second is not over, so left out."""
    until = min(query.until, now)
    version = _found(connection, query.owner)
    inside = (answers.c.version == version) & (answers.c.second >= query.since)
    row = connection.execute(_sums().where(inside & (answers.c.second + 1 <= until))).one()
    return {
        "seconds": row.seconds,
        "requests": int(row.requests or 0),
        "errors": float(row.errors or 0),
        "slow": {bar: float(row._mapping[f"over_{bar}"] or 0) for bar in SLOWER_THAN},
    }


@cache
def _sums() -> Any:
    shares = [
        func.sum(cast(answers.c[name], Double) / answers.c.requests).label(name) for name in COLUMNS[1:]
    ]
    requests = func.sum(answers.c.requests).label("requests")
    return select(func.count().label("seconds"), requests, *shares).select_from(answers)


def forget(connection: Connection, due: int, step: int) -> bool:
    """Forget seconds up to `due`, Unix time, and versions without any; tell whether there is more."""
    old = select(answers.c.version, answers.c.second).where(answers.c.second <= due)
    found = connection.execute(old.order_by(answers.c.second).limit(step)).all()
    for version, second in found:
        connection.execute(
            delete(answers).where((answers.c.version == version) & (answers.c.second == second))
        )
    if found:
        some = select(answers.c.version).where(answers.c.version == versions.c.id).exists()
        connection.execute(delete(versions).where(~some))
    return len(found) == step
