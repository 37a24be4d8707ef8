"""Queries and databases of tenants who want more than sums: none writes, stays, fills memory or is quoted."""

import asyncio
import contextlib
import os
import struct
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from assay_api import Metric, Ref
from assay_operator.telemetry import NoData, Question, SourceError, SourceUnavailable
from assay_operator.telemetry.sql import Sql

START = datetime(2026, 1, 1, tzinfo=UTC)
ROW = "SELECT 'control' AS arm, 1 AS n, 1 AS sum, 1 AS sumsq"
CONTENTS = "iban-of-a-customer"
MIB = 2**20
MOST = 100 * MIB  # of a worker, with its libraries


async def ask(url: str, query: str, seconds: float = 20) -> Any:
    """Ask about two arms, of which one may be absent."""

    async def secret(*_: object) -> str:
        return url.replace("postgresql:", "postgresql+psycopg:")

    sql = {"urlSecretRef": {"name": "warehouse", "key": "dsn"}, "query": query}
    metric = Metric.model_validate({"name": "spent", "type": "Mean", "source": "SQL", "sql": sql})
    who = (Ref("team", "churn"), "churn-2-g2", "uid-1", metric, ("control", "boosted"), START)
    source = Sql(secret, ("postgresql", "duckdb"), seconds)
    return await source.ask(Question(*who, frozenset({"boosted"})), datetime.now(UTC))


@pytest.fixture
def ledger(postgres: str) -> Iterator[str]:
    """A table that is not the tenant's, and functions that write it; the user of the URL is a superuser."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS ledger; CREATE TABLE ledger (word text)")
        connection.execute("INSERT INTO ledger VALUES (%s)", [CONTENTS])
        connection.execute("CREATE SEQUENCE IF NOT EXISTS counted")
        connection.execute(
            "CREATE OR REPLACE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO ledger VALUES ('written'); RETURN 1; END $$"
        )
        connection.execute(
            "CREATE OR REPLACE FUNCTION frees() RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN SET transaction_read_only = off; INSERT INTO ledger VALUES ('written');"
            " RETURN 1; END $$"
        )
        yield postgres
        connection.execute(
            "DROP FUNCTION writes; DROP FUNCTION frees; DROP TABLE ledger; DROP SEQUENCE counted"
        )


def words(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [word for (word,) in connection.execute("SELECT word FROM ledger")]


INSERT = "INSERT INTO ledger VALUES ('written')"
FREE = "set_config('transaction_read_only', 'off', {})"


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(f"commit; {INSERT}; {ROW}", id="a commit first"),
        pytest.param(f"rollback; begin read write; {INSERT}; commit; {ROW}", id="a transaction of its own"),
        pytest.param(f"{ROW}; {INSERT}", id="a statement after it"),
        pytest.param(f"{ROW};;; commit; {INSERT} --", id="many semicolons and a comment"),
        pytest.param(f"/* {ROW} */ commit; {INSERT}", id="behind a comment"),
        pytest.param(f"{ROW}) AS sums; commit; {INSERT}; SELECT * FROM ({ROW}", id="out of the parenthesis"),
        pytest.param(f"{ROW}) AS sums) AS few; commit; {INSERT}; --", id="out of both parentheses"),
        pytest.param(f"{ROW} /*", id="a comment that never ends"),
        pytest.param(f"{ROW} AND $$", id="a string that never ends"),
        pytest.param(f"DO $$ BEGIN COMMIT; {INSERT}; COMMIT; END $$", id="a DO block"),
        pytest.param(f"{INSERT} RETURNING 'control' AS arm, 1 AS n, 1 AS sum, 1 AS sumsq", id="an insert"),
        pytest.param(f"WITH w AS ({INSERT} RETURNING 1) {ROW} FROM w", id="an insert in WITH"),
        pytest.param(f"{ROW} FROM (SELECT writes()) w", id="a function that writes"),
        pytest.param(f"{ROW} FROM (SELECT frees()) w", id="a function that lifts the rule and writes"),
        pytest.param(f"{ROW}, {FREE.format('false')} AS a, writes() AS b", id="set_config for the session"),
        pytest.param(
            f"{ROW}, {FREE.format('true')} AS a, writes() AS b", id="set_config for the transaction"
        ),
        pytest.param(f"{ROW}, nextval('counted')", id="a sequence"),
        pytest.param("SELECT 'control' AS arm, 1 AS n, 1 AS sum INTO kept", id="SELECT INTO"),
        pytest.param(f"CREATE TABLE kept AS {ROW}", id="CREATE TABLE AS"),
        pytest.param(f"EXPLAIN ANALYZE {INSERT}", id="EXPLAIN ANALYZE"),
        pytest.param(f"PREPARE p AS {INSERT}", id="PREPARE"),
        pytest.param("TRUNCATE ledger", id="TRUNCATE"),
        pytest.param("CALL writes()", id="CALL"),
        pytest.param("COPY ledger TO STDOUT", id="COPY out"),
        pytest.param("COPY ledger FROM STDIN", id="COPY in"),
        pytest.param("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", id="SET SESSION"),
        pytest.param(f"{ROW} FROM ledger FOR UPDATE", id="a lock on rows"),
        pytest.param("LISTEN gossip", id="LISTEN"),
        pytest.param("SHOW data_directory", id="SHOW"),
        pytest.param(" ", id="nothing"),
        pytest.param(";", id="a semicolon"),
    ],
)
async def test_no_query_writes(ledger: str, query: str) -> None:
    with pytest.raises((SourceUnavailable, SourceError, NoData)) as caught:
        await ask(ledger, query)
    assert words(ledger) == [CONTENTS]
    assert CONTENTS not in str(caught.value)


async def test_what_a_function_may_write_is_never_committed(ledger: str) -> None:
    """Large objects are no writes to an older PostgreSQL."""
    with contextlib.suppress(SourceUnavailable):
        await ask(ledger, "SELECT 'control' AS arm, lo_create(0)::int AS n, 1 AS sum, 1 AS sumsq")
    with psycopg.connect(ledger) as connection:
        assert connection.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


async def test_a_program_of_the_database_host_is_not_started(ledger: str, tmp_path: Path) -> None:
    """COPY to a program is no write to PostgreSQL, and a superuser may."""
    for query in (
        f"COPY (SELECT 1) TO PROGRAM 'touch {tmp_path}/started'",
        f"{ROW}; COPY (SELECT 1) TO PROGRAM 'touch {tmp_path}/started'",
        f"COPY (SELECT 1) TO '{tmp_path}/started'",
    ):
        with pytest.raises(SourceUnavailable):
            await ask(ledger, query)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("SELECT 'control' AS arm, (SELECT word::int FROM ledger) AS n, 1 AS sum", id="a cast"),
        pytest.param(
            "SELECT 'control' AS arm, 1 AS n, (SELECT word::numeric FROM ledger) AS sum, 1 AS sumsq",
            id="a cast of a number",
        ),
        pytest.param(
            "SELECT 'control' AS arm, word AS n, 1 AS sum, 1 AS sumsq FROM ledger", id="a word as n"
        ),
        pytest.param(
            "SELECT word AS arm, 1 AS n, 1 AS sum, 1 AS sumsq FROM ledger, generate_series(1, 2)", id="twice"
        ),
        pytest.param("SELECT word::date AS arm, 1 AS n, 1 AS sum FROM ledger", id="a date"),
        pytest.param("SELECT word::jsonb AS arm, 1 AS n, 1 AS sum FROM ledger", id="a document"),
        pytest.param(f"{ROW}, to_regclass(word) FROM ledger WHERE word::regclass > 0", id="a table's name"),
        pytest.param("SELECT word AS arm, 1 AS n, NULL AS sum, 1 AS sumsq FROM ledger", id="a foreign arm"),
    ],
)
async def test_no_message_holds_the_contents_of_a_table(ledger: str, query: str) -> None:
    with pytest.raises((SourceUnavailable, SourceError, NoData)) as caught:
        await ask(ledger, query)
    assert CONTENTS not in str(caught.value)
    assert CONTENTS not in str(caught.value.__cause__)


async def largest(url: str, query: str, seconds: float) -> int:
    """Return the most bytes that the process of a question has held at once; it may end in any way."""
    question, most = asyncio.create_task(ask(url, query, seconds)), 0
    while not question.done():
        most = max([most, *(held(child) for child in children())])
        await asyncio.sleep(0.01)
    with contextlib.suppress(SourceUnavailable, SourceError, NoData):
        await question
    return most


def children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found += (task / "children").read_text().split()
    return found


def held(pid: str) -> int:
    """Return the most resident bytes of a worker so far, or 0 where it is none or is gone."""
    with contextlib.suppress(OSError):
        process = Path("/proc", pid)
        lines = (process / "status").read_text().splitlines()
        if b"sql_worker.py\0" in (process / "cmdline").read_bytes():
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    return 0


@pytest.mark.parametrize(
    "query",
    [
        pytest.param("SELECT repeat('x', 200000000) AS arm, 1 AS n, 1 AS sum, 1 AS sumsq", id="a wide arm"),
        pytest.param(
            "SELECT 'control' AS arm, repeat('1', 200000000) AS n, 1 AS sum, 1 AS sumsq", id="a wide n"
        ),
        pytest.param(
            f"{ROW}, " + ", ".join(f"repeat('x', 3000000) AS c{at}" for at in range(100)), id="many columns"
        ),
        pytest.param(
            "SELECT 'control' AS arm, 10::numeric ^ 100000 AS n, 1 AS sum, 1 AS sumsq", id="many digits"
        ),
        pytest.param(f"{ROW} FROM generate_series(1, 5000000)", id="millions of rows"),
        pytest.param(
            "SELECT g AS arm, 1 AS n, 1 AS sum, 1 AS sumsq FROM generate_series(1, 1000000) g", id="many arms"
        ),
    ],
)
async def test_what_is_read_is_bounded(ledger: str, query: str) -> None:
    assert 0 < await largest(ledger, query, 60) <= MOST


async def test_digits_without_end_are_refused(postgres: str) -> None:
    with pytest.raises(SourceUnavailable, match="a number of more than 1000 characters"):
        await ask(postgres, "SELECT 'control' AS arm, 10::numeric ^ 1001 AS n, 1 AS sum, 1 AS sumsq")


def busy(url: str) -> int:
    with psycopg.connect(url) as connection:
        mine = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        mine += " AND state = 'active' AND query LIKE '%%slow8472%%'"
        return int((connection.execute(mine).fetchone() or (0,))[0])


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(f"{ROW}, pg_sleep(600) AS slow8472", id="asleep"),
        pytest.param(
            f"{ROW}, set_config('statement_timeout', '0', false) AS slow8472, pg_sleep(600)", id="lifted"
        ),
        pytest.param(
            "SELECT 'control' AS arm, count(*) AS n, count(*) AS sum, 1 AS sumsq"
            " FROM generate_series(1, 100000000) AS slow8472, generate_series(1, 100000000)",
            id="at work",
        ),
        pytest.param(
            f"WITH RECURSIVE slow8472(i) AS (SELECT 1 UNION ALL SELECT 1 FROM slow8472) {ROW} FROM slow8472"
            " WHERE i > 1",
            id="without an end",
        ),
    ],
)
async def test_nothing_outlives_the_time(postgres: str, query: str) -> None:
    begin = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"did not answer within 2 s|QueryCanceled \(57014\)"):
        await ask(postgres, query, 2)
    assert time.monotonic() - begin < 15
    async with asyncio.timeout(30):
        while await asyncio.to_thread(busy, postgres):
            await asyncio.sleep(0.05)


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


@contextlib.asynccontextmanager
async def hostile(answer: bytes, more: bytes) -> AsyncIterator[str]:
    """A PostgreSQL that greets as one, then answers the first command with its own, and never stops."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            await reader.readexactly(length - 4)
            greeting = message(b"R", struct.pack("!i", 0)) + message(b"S", b"client_encoding\0UTF8\0")
            writer.write(greeting + message(b"S", b"server_version\x0017.0\0") + message(b"Z", b"I"))
            await reader.read(1)
            writer.write(answer)
            while more:
                writer.write(more)
                await writer.drain()
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"postgresql://a@127.0.0.1:{server.sockets[0].getsockname()[1]}/x?sslmode=disable&gssencmode=disable"
        server.close()


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        pytest.param(b"D" + struct.pack("!i", 2**30), bytes(MIB), id="a row of a gigabyte"),
        pytest.param(b"", message(b"N", b"SWARNING\0M" + b"x" * 20000 + b"\0\0"), id="notices"),
        pytest.param(
            b"", message(b"A", struct.pack("!i", 1) + b"channel\0" + b"x" * 20000 + b"\0"), id="notifications"
        ),
        pytest.param(b"", b"", id="silence"),
    ],
)
async def test_a_hostile_database_costs_one_bounded_process(answer: bytes, more: bytes) -> None:
    begin = time.monotonic()
    async with hostile(answer, more) as url:
        assert 0 < await largest(url, ROW, 4) <= MOST
    assert time.monotonic() - begin < 15


async def test_a_hostile_database_says_nothing_in_a_status() -> None:
    error = message(b"E", b"SERROR\0C42601\0M" + CONTENTS.encode() + b"\0\0") + message(b"Z", b"I")
    async with hostile(error, b"") as url:
        with pytest.raises(SourceUnavailable) as caught:
            await ask(url, ROW, 4)
    assert CONTENTS not in str(caught.value)


async def test_an_embedded_database_is_opened_to_read_only(tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415

    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE ledger (word text)")
    for query in (f"commit; {INSERT}; {ROW}", f"{INSERT}; commit; {ROW}"):
        with contextlib.suppress(SourceUnavailable, SourceError, NoData):
            await ask(f"duckdb:///{path}", query)
    with duckdb.connect(str(path)) as connection:
        assert connection.execute("SELECT * FROM ledger").fetchall() == []


async def test_the_operators_environment_is_not_the_workers(
    postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PGOPTIONS and the like would speak for the operator."""
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=1")
    monkeypatch.setenv("PGUSER", "nobody-at-all")
    assert "control" in await ask(postgres, ROW)
