"""The hot verbs: many rows of one table in few statements, in each database's fastest way.

SQLAlchemy's own batches cost more than the databases do, so these speak to the driver; names of tables and
columns come from the schema, values are always bound.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any, Protocol

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql

Row = tuple[Any, ...]

CHUNK = 512
TOGETHER = 32


class Rows(Protocol):
    """Many rows at once, inside the connection's transaction."""

    def add_new(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Insert those whose primary key is not there yet, and return them; of equal ones the first."""

    def save(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert or overwrite by primary key; no key may come twice."""

    def find(self, table: Table, first: int, second: Sequence[bytes]) -> list[Row]:
        """Return the rows whose first column equals `first` and whose second is one of `second`."""

    def drop(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete by primary key."""


def rows_of(connection: Connection) -> Rows:
    """Return the verbs for this connection's database."""
    sqlite = connection.dialect.name == "sqlite"
    driver: Any = connection.connection
    return SqliteRows(driver.cursor()) if sqlite else PostgresRows(driver.cursor(binary=True))


class SqliteRows:
    """Short statements: there is no network to save, and the number of changes tells new from old."""

    def __init__(self, cursor: Any) -> None:
        """Take a cursor of sqlite3."""
        self._cursor = cursor

    def add_new(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Insert all at once; only if some are not new, go back and look at each."""
        statement, cursor = _insert(table) + " ON CONFLICT DO NOTHING", self._cursor
        rows = sorted(rows, key=itemgetter(*range(len(_key(table)))))  # neighbours share a page
        cursor.execute("SAVEPOINT add_new")
        if cursor.executemany(statement, rows).rowcount != len(rows):
            cursor.execute("ROLLBACK TO add_new")
            rows = [row for row in rows if cursor.execute(statement, row).rowcount]
        cursor.execute("RELEASE add_new")
        return list(rows)

    def save(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert or overwrite: these tables have no other index, so REPLACE goes to its page once.

        Some rows a statement: every one that ends hands the interpreter to another thread.
        """
        whole = len(rows) - len(rows) % TOGETHER
        for start in range(0, whole, TOGETHER):
            some = rows[start : start + TOGETHER]
            self._cursor.execute(_insert(table, "REPLACE", TOGETHER), tuple(chain.from_iterable(some)))
        self._cursor.executemany(_insert(table, "REPLACE"), rows[whole:])

    def find(self, table: Table, first: int, second: Sequence[bytes]) -> list[Row]:
        """Look up by the head of the primary key."""
        found: list[Row] = []
        for chunk in _chunks(second):
            padded = chunk + [chunk[-1]] * ((1 << (len(chunk) - 1).bit_length()) - len(chunk))
            found += self._cursor.execute(_among(table, len(padded)), (first, *padded)).fetchall()
        return found

    def drop(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete by primary key."""
        match = " AND ".join(f"{name} = ?" for name in _key(table))
        self._cursor.executemany(f"DELETE FROM {table.name} WHERE {match}", rows)


class PostgresRows:
    """One statement for all rows, an array a column; binary, as bytes cost most of the time as text."""

    def __init__(self, cursor: Any) -> None:
        """Take a cursor of psycopg."""
        self._cursor = cursor

    def add_new(self, table: Table, rows: Sequence[Row]) -> list[Row]:
        """Insert what is new."""
        if not rows:
            return []
        width = len(_key(table))
        statement = f"{_insert_arrays(table)} ON CONFLICT DO NOTHING RETURNING {', '.join(_key(table))}"
        new = set(self._cursor.execute(statement, _columns(rows)).fetchall())
        return [row for row in rows if _taken(new, row[:width])]

    def save(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert or overwrite."""
        if rows:
            self._cursor.execute(_insert_arrays(table) + _overwrite(table), _columns(rows))

    def find(self, table: Table, first: int, second: Sequence[bytes]) -> list[Row]:
        """Look up by the head of the primary key."""
        one, two = _names(table)[:2]
        statement = (
            f"SELECT {', '.join(_names(table))} FROM {table.name} WHERE {one} = %b AND {two} = ANY(%b)"
        )
        return list(self._cursor.execute(statement, (first, list(second))).fetchall())

    def drop(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete by primary key."""
        if rows:
            keys = ", ".join(_key(table))
            arrays = _arrays(table, len(_key(table)))
            self._cursor.execute(
                f"DELETE FROM {table.name} WHERE ({keys}) IN (SELECT * FROM unnest({arrays}))", _columns(rows)
            )


def _taken(new: set[Row], key: Row) -> bool:
    if key in new:
        new.remove(key)
        return True
    return False


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _chunks(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(keys), CHUNK):
        yield list(keys[start : start + CHUNK])


@cache
def _names(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


@cache
def _key(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.primary_key.columns)


@cache
def _insert(table: Table, verb: str = "INSERT", rows: int = 1) -> str:
    marks = f"({', '.join('?' for _ in table.columns)})"
    return f"{verb} INTO {table.name} ({', '.join(_names(table))}) VALUES {', '.join([marks] * rows)}"


@cache
def _overwrite(table: Table) -> str:
    news = ", ".join(f"{name} = excluded.{name}" for name in _names(table) if name not in _key(table))
    return f" ON CONFLICT ({', '.join(_key(table))}) DO {f'UPDATE SET {news}' if news else 'NOTHING'}"


@cache
def _among(table: Table, count: int) -> str:
    one, two = _names(table)[:2]
    marks = ", ".join("?" for _ in range(count))
    return f"SELECT {', '.join(_names(table))} FROM {table.name} WHERE {one} = ? AND {two} IN ({marks})"


@cache
def _arrays(table: Table, width: int) -> str:
    kinds = (column.type.compile(dialect=postgresql.dialect()) for column in list(table.columns)[:width])  # type: ignore[no-untyped-call]
    return ", ".join(f"%b::{kind}[]" for kind in kinds)


@cache
def _insert_arrays(table: Table) -> str:
    return (
        f"INSERT INTO {table.name} ({', '.join(_names(table))}) "
        f"SELECT * FROM unnest({_arrays(table, len(table.columns))})"
    )
