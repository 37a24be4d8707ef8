"""One query to one database, in a process of its own: a hostile database or query costs this process only.

`sql.py` starts this file by its path, without the operator's packages: it reads a request from standard
input, and writes rows or the class of an error to standard output, as JSON. No text of a database leaves it.

PostgreSQL first parses the query alone, which proves it to be one statement; only then is it read as a
subquery, which only a SELECT can be, cut to as many rows and bytes as sums need.
"""

import json
import resource
import sys
from datetime import datetime
from decimal import Decimal
from typing import Any

MOST_ROWS = 100
LONGEST_ARM = 64  # characters; no arm's name has as many
LONGEST_NUMBER = 1000  # characters
POSTGRESQL_MEMORY = 48 * 2**20  # bytes of data
MEMORY = 1024 * 2**20  # bytes of data; embedded databases work in this very process
NO_CONNECTION = {  # what libpq says, and what is said of it
    "authentication failed": "it refuses user or password",
    "no pg_hba.conf entry": "it does not let this user in from here",
    "does not exist": "it has no such database or user",
    "Connection refused": "connection refused",
    "timeout expired": "timeout",
    "translate host name": "its host has no address",
    "resolve host": "its host has no address",
    "SSL": "it and the URL do not agree on TLS",
    "too many": "it has too many connections",
}
TIMESTAMPTZ, UNKNOWN = 1184, 0  # PostgreSQL's numbers of types


class RefusedError(Exception):
    """Words for the author of the query; they hold nothing of the database."""


def main() -> None:
    """Answer the request."""
    request = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = {"rows": postgresql(request) if "connect" in request else embedded(request)}
    except RefusedError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "the database answers more than fits in memory"}
    except Exception as error:  # noqa: BLE001  drivers raise anything; its text may hold the database's contents
        answer = {"error": _class(error)}
    json.dump(answer, sys.stdout)


def postgresql(request: dict[str, Any]) -> list[list[Any]]:
    """Return rows of (arm, then a column each of `columns`), in a read-only transaction.

    Args:
        request: `connect`: keywords of libpq; `query` with $1 and so on; `parameters`: pairs of a type and a
            text; `columns`: names of numbers; `timeout`: seconds.

    Raises:
        RefusedError: The query is none that returns sums of arms.
    """
    import psycopg  # noqa: PLC0415  only one driver is imported

    resource.setrlimit(resource.RLIMIT_DATA, (POSTGRESQL_MEMORY, POSTGRESQL_MEMORY))
    try:
        connection = psycopg.connect(**request["connect"], client_encoding="utf8")
    except psycopg.OperationalError as error:
        raise RefusedError(_unreachable(str(error))) from None
    with psycopg.RawCursor(connection) as cursor:
        connection.read_only = True
        patience = round(request["timeout"] * 1000)
        cursor.execute(f"SET LOCAL statement_timeout = {patience}")
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {patience}")
        columns = _described(connection.pgconn, request)
        present = [name for name in request["columns"] if name in columns]
        values = [_value(kind, text) for kind, text in request["parameters"]]
        query = _cut(request["query"], columns["arm"], [columns[name] for name in present])
        cursor.execute(query.encode(), values, prepare=True)
        rows = cursor.fetchall()
    if any(row[1] for row in rows):
        raise RefusedError(f"the query returns a number of more than {LONGEST_NUMBER} characters")
    found = [dict(zip(present, row[2:], strict=True)) | {"arm": row[0]} for row in rows]
    return _rows(found, request["columns"])


def _unreachable(text: str) -> str:
    """Say in our own words why there is no connection: the server's may hold whatever it likes."""
    words = next((words for mark, words in NO_CONNECTION.items() if mark in text), "")
    return f"the database cannot be reached: {words or 'no connection'}"


def _described(connection: Any, request: dict[str, Any]) -> dict[str, str]:
    """Return the names of the query's columns as they are written, by their lower case; nothing runs."""
    from psycopg import errors, pq  # noqa: PLC0415

    types = [TIMESTAMPTZ if kind == "moment" else UNKNOWN for kind, _ in request["parameters"]]
    for result in (
        connection.prepare(b"", request["query"].encode(), types),
        connection.describe_prepared(b""),
    ):
        if result.status != pq.ExecStatus.COMMAND_OK:
            error = errors.error_from_result(result)
            at = error.diag.statement_position
            raise RefusedError(_class(error) + (f" near character {at}" if at else "")) from None
    names = [(result.fname(at) or b"").decode() for at in range(result.nfields)]
    return _complete({name.lower(): name for name in names})


def _cut(query: str, arm: str, numbers: list[str]) -> str:
    """Return a query for rows of (arm, whether a number is too long, the numbers that are not)."""
    texts = {f"{_quoted(name)}::text": _quoted(name) for name in numbers}
    long = " OR ".join(f"coalesce(length({text}) > {LONGEST_NUMBER}, false)" for text in texts)
    short = [f"CASE WHEN length({text}) <= {LONGEST_NUMBER} THEN {name} END" for text, name in texts.items()]
    chosen = ", ".join([f"left({_quoted(arm)}::text, {LONGEST_ARM})", long, *short])
    few = f"SELECT * FROM (\n{query.rstrip().rstrip(';')}\n) AS sums LIMIT {MOST_ROWS + 1}"
    return f"SELECT {chosen} FROM ({few}) AS few"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _value(kind: str, text: str) -> Any:
    return datetime.fromisoformat(text) if kind == "moment" else text


def embedded(request: dict[str, Any]) -> list[list[Any]]:
    """Return rows like those of `postgresql`, from any other database, by SQLAlchemy.

    Args:
        request: `url`, `query` with :names, `parameters` and `columns` as for `postgresql`.

    Raises:
        RefusedError: The query is none that returns sums of arms.
    """
    from sqlalchemy import create_engine, text  # noqa: PLC0415  only one driver is imported
    from sqlalchemy.pool import NullPool  # noqa: PLC0415

    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    url = request["url"]
    in_file = url.startswith("duckdb") and not url.endswith((":", ":memory:"))
    try:
        engine = create_engine(
            url, poolclass=NullPool, connect_args={"read_only": True} if in_file else {}, hide_parameters=True
        )
    except ImportError:
        raise RefusedError(f"the operator's image has no driver for {url.partition(':')[0]}") from None
    values = {name: _value(kind, word) for name, (kind, word) in request["parameters"].items()}
    with engine.connect() as connection:
        found = connection.execute(text(request["query"]), values)
        names = _complete({name.lower(): name for name in found.keys()})  # noqa: SIM118  a result, no mapping
        rows = found.fetchmany(MOST_ROWS + 1)
    wanted = {
        name: list(found.keys()).index(names[name]) for name in ("arm", *request["columns"]) if name in names
    }
    cut = [{name: row[at] for name, at in wanted.items()} for row in rows]
    return _rows(cut, request["columns"])


def _complete(columns: dict[str, str]) -> dict[str, str]:
    if absent := {"arm", "n", "sum"} - columns.keys():
        names = ", ".join(columns)[:200]
        raise RefusedError(f"the query returns {names or 'nothing'}; it lacks {', '.join(sorted(absent))}")
    return columns


def _rows(found: list[dict[str, Any]], columns: list[str]) -> list[list[Any]]:
    """Return them as JSON has them: a number is a pair of its kind and its digits, what is absent is 0."""
    if len(found) > MOST_ROWS:
        raise RefusedError(f"the query returns more than {MOST_ROWS} rows; group by arm")
    return [
        [str(row["arm"])[:LONGEST_ARM], *(_number(row[name]) if name in row else 0 for name in columns)]
        for row in found
    ]


def _number(value: Any) -> list[str] | None:
    if value is None:
        return None
    exact = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return ["exact" if exact else "float", str(value)[:LONGEST_NUMBER]]


def _class(error: Exception) -> str:
    """Return what kind of error it is; its text may hold what is in the database, its host or user."""
    inner = getattr(error, "orig", None) or error
    state = getattr(inner, "sqlstate", None)
    return f"the database refuses: {type(inner).__name__}" + (f" ({state})" if state else "")


if __name__ == "__main__":
    main()
