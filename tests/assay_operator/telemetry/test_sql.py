"""Metrics of real databases: PostgreSQL as a warehouse that many use, DuckDB as one in a file."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from assay_api import Metric, Ref
from assay_operator.telemetry import NoData, Question, SourceError, SourceUnavailable
from assay_operator.telemetry.sql import PROCESSES, Sql
from assay_stats import Moments

START = datetime(2026, 1, 1, tzinfo=UTC)
VALUES = {"control": [1.5, 0.0, 4.0], "boosted": [2.0, 2.5]}
MEAN = """
SELECT e.arm, count(*) AS n, sum(e.value) AS sum, sum(e.value * e.value) AS sumsq
FROM spent AS e WHERE e.experiment = :uid AND e.moment >= :started_at GROUP BY e.arm
"""
SECRET = "s3cret-word"


def source(url: str, **more: Any) -> Sql:
    async def secret(ref: Ref, key: str) -> str:
        assert (ref, key) == (Ref("team", "warehouse"), "dsn")
        return f"{url}\n"

    return Sql(secret, ("postgresql", "duckdb"), **more)


def question(query: str = MEAN, kind: str = "Mean", dropped: str = "") -> Question:
    sql = {"urlSecretRef": {"name": "warehouse", "key": "dsn"}, "query": query}
    metric = Metric.model_validate({"name": "spent", "type": kind, "source": "SQL", "sql": sql})
    who = (Ref("team", "churn"), "churn-2-g2", "uid-1", metric, ("control", "boosted"), START)
    return Question(*who, frozenset({dropped} - {""}))


async def ask(url: str, *arguments: Any, **more: Any) -> Any:
    return await source(url, **more).ask(question(*arguments), datetime.now(UTC))


@pytest.fixture(params=["postgresql", "duckdb"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with what each unit has spent; some before the start, some elsewhere."""
    if request.param == "duckdb":
        url = f"duckdb:///{tmp_path}/warehouse.duckdb"
    else:
        url = str(request.getfixturevalue("postgres")).replace("postgresql:", "postgresql+psycopg:")
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE IF EXISTS spent")
        connection.exec_driver_sql(
            "CREATE TABLE spent (experiment text, arm text, moment timestamptz, value float8)"
        )
        rows = [("uid-1", arm, START, value) for arm, values in VALUES.items() for value in values]
        rows += [("uid-2", "control", START, 99.0), ("uid-1", "control", START.replace(year=2025), 99.0)]
        insert = sqlalchemy.text("INSERT INTO spent VALUES (:a, :b, :c, :d)")
        connection.execute(insert, [dict(zip("abcd", row, strict=True)) for row in rows])
    engine.dispose()
    return url


def numbers(found: Any) -> dict[str, Any]:
    """The same sums may be taken about any value."""
    return {arm: (m.n, pytest.approx(m.mean), pytest.approx(m.variance)) for arm, m in found.items()}


def plain(found: Any) -> dict[str, Any]:
    return {arm: (m.n, m.mean, m.variance) for arm, m in found.items()}


USUAL = {arm: Moments.of(values) for arm, values in VALUES.items()}


async def test_the_sums_of_each_arm_come_back(warehouse: str) -> None:
    assert plain(await ask(warehouse)) == numbers(USUAL)


def of_four(columns: str, large: str) -> str:
    """Return a query over two values of each arm that are close to the large one."""
    values = {"control": ("- 1", "+ 1"), "boosted": ("+ 0", "+ 4")}
    rows = ", ".join(f"('{arm}', {large} {step})" for arm, steps in values.items() for step in steps)
    return f"SELECT arm, count(*) AS n, {columns} FROM (VALUES {rows}) v(arm, x) GROUP BY arm"


@pytest.mark.parametrize(
    ("columns", "large"),
    [
        pytest.param("sum(x) AS sum, var_samp(x) AS variance", "1e12::float8", id="the variance"),
        pytest.param(
            "sum(x - 1e12) AS sum, sum((x - 1e12) * (x - 1e12)) AS sumsq, 1e12 AS shift",
            "1e12::float8",
            id="sums of value minus shift",
        ),
        pytest.param(
            "sum(x) AS sum, sum(x * x) AS sumsq", "1000000000000::numeric(38, 0)", id="exact numbers"
        ),
    ],
)
async def test_a_trillion_and_one_is_told_from_a_trillion(warehouse: str, columns: str, large: str) -> None:
    found = await ask(warehouse, of_four(columns, large))
    assert plain(found) == {"control": (2, 1e12, 2.0), "boosted": (2, 1e12 + 2, 8.0)}


async def test_a_spread_that_floats_cannot_hold_is_refused(warehouse: str) -> None:
    query = of_four("sum(x) AS sum, sum(x * x) AS sumsq", "1e12::float8")
    with pytest.raises(SourceError, match="the spread is lost beside a mean of 1e"):
        await ask(warehouse, query)


@pytest.mark.parametrize("column", ["sum", "sumsq", "variance"])
async def test_a_sum_that_is_null_is_missing_and_no_zero(warehouse: str, column: str) -> None:
    values = {"sum": "5.0", "sumsq": "9.0", "variance": "1.0"} | {column: "NULL"}
    columns = ", ".join(f"{value} AS {name}" for name, value in values.items())
    query = f"SELECT a AS arm, 10 AS n, {columns} FROM (VALUES ('control'), ('boosted')) v(a)"
    with pytest.raises(NoData, match=f"arm control: {column} is NULL, with 10 units; if that means 0"):
        await ask(warehouse, query)


async def test_an_average_of_a_proportion_needs_no_squares(warehouse: str) -> None:
    events = "SELECT arm, count(*) AS n, sum(CASE WHEN value > 1 THEN 1 ELSE 0 END) AS sum FROM spent"
    found = await ask(
        warehouse, f"{events} WHERE experiment = :uid AND moment >= :started_at GROUP BY arm", "Proportion"
    )
    assert found == {"control": Moments(3, 2, 2), "boosted": Moments(2, 2, 2)}


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(f"{MEAN} HAVING count(*) > 1000", id="no row"),
        pytest.param("SELECT 'other' AS arm, 1 AS n, 1 AS sum, 1 AS sumsq", id="no arm of ours"),
        pytest.param("SELECT 'control' AS ARM, 0 AS N, NULL AS SUM, NULL AS SUMSQ", id="sums over no row"),
    ],
)
async def test_nothing_is_no_data_and_no_failure(warehouse: str, query: str) -> None:
    with pytest.raises(NoData, match="SQL has no data of any arm"):
        await ask(warehouse, query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param(
            "SELEC 1",
            "the database refuses: (SyntaxError .42601. near character 1|ParserException)$",
            id="no SQL",
        ),
        pytest.param("SELECT 1 AS one", "it lacks arm, n, sum", id="other columns"),
        pytest.param(
            "SELECT 'control' AS arm, 1 AS n, 1 AS sum",
            "sum of squares or the variance",
            id="a Mean without squares",
        ),
        pytest.param("SELECT 'control' AS arm, 'x' AS n, 1 AS sum", "must be numbers", id="no number"),
        pytest.param(
            "SELECT 'control' AS arm, -1 AS n, 1 AS sum, 1 AS sumsq", "not a count", id="less than none"
        ),
        pytest.param("SELECT arm, 1 AS n, 1 AS sum, 1 AS sumsq FROM spent", "twice", id="not grouped"),
        pytest.param(
            "SELECT i AS arm, 1 AS n, 1 AS sum FROM generate_series(1, 200) AS g(i)",
            "100 rows",
            id="too many",
        ),
        pytest.param(f"{MEAN} HAVING :unheard > 1", "unheard", id="an unknown parameter"),
    ],
)
async def test_a_query_that_says_nothing_of_arms_is_told_why(warehouse: str, query: str, words: str) -> None:
    with pytest.raises(SourceUnavailable, match=words):
        await ask(warehouse, query)


async def test_a_query_can_change_nothing(warehouse: str) -> None:
    """PostgreSQL refuses; what DuckDB does is never committed."""
    dirty = "DELETE FROM spent RETURNING arm, 1 AS n, value AS sum, value AS sumsq"
    with pytest.raises(SourceUnavailable):
        await ask(warehouse, dirty)
    assert plain(await ask(warehouse)) == numbers(USUAL)


async def running(url: str, query: str) -> bool:
    try:
        return bool(await ask(url, query, "Proportion", "boosted"))
    except NoData:
        return False


async def test_a_slow_query_is_given_up_and_ended_by_the_database(postgres: str) -> None:
    url = postgres.replace("postgresql:", "postgresql+psycopg:")
    begin = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"did not answer within 0\.3 s|statement timeout"):
        await ask(url, "SELECT 'control' AS arm, 1 AS n, 1 AS sum, 1 AS sumsq, pg_sleep(60)", timeout=0.3)
    assert time.monotonic() - begin < 20
    busy = "SELECT 'control' AS arm, count(*) AS n, count(*) AS sum FROM pg_stat_activity"
    busy += " WHERE query LIKE '%pg_slee%60)'"
    async with asyncio.timeout(20):
        while await running(url, busy):
            await asyncio.sleep(0.05)


async def test_a_slow_query_stops_nobody_else(postgres: str) -> None:
    """The loop goes on, and other questions have threads of their own."""
    slow = source(postgres.replace("postgresql:", "postgresql+psycopg:"))
    query = "SELECT 'control' AS arm, 1 AS n, 1 AS sum, 1 AS sumsq, pg_sleep({})"
    tasks = [
        asyncio.create_task(slow.ask(question(query.format(1), "Mean", "boosted"), START)) for _ in range(3)
    ]
    begin = time.monotonic()
    found = await slow.ask(question(query.format(0), "Mean", "boosted"), START)
    assert plain(found) == {"control": (1, 1.0, 0.0)}
    assert time.monotonic() - begin < 0.9 or not tasks[0].done()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param(
            f"postgresql+psycopg://a:{SECRET}@127.0.0.1:1/x",
            "the database cannot be reached: connection refused",
            id="nobody there",
        ),
        pytest.param(f"postgresql://a:{SECRET}@127.0.0.1/x", "no driver for postgresql", id="no such driver"),
        pytest.param(f"no-url {SECRET}", "no SQLAlchemy URL", id="no URL"),
        pytest.param("", "no SQLAlchemy URL", id="nothing"),
        pytest.param(f"sqlite:////etc/{SECRET}", "sqlite is not allowed", id="a file of the operator"),
        pytest.param(f"mystery://a:{SECRET}@host/x", "mystery is not allowed", id="no such database"),
    ],
)
async def test_a_url_that_cannot_be_used_is_not_repeated(url: str, words: str) -> None:
    with pytest.raises(SourceUnavailable, match=words) as caught:
        await ask(url)
    assert SECRET not in str(caught.value)


async def test_embedded_databases_are_refused_unless_they_are_allowed() -> None:
    """They read files of the operator: its tokens, say."""
    with pytest.raises(
        SourceUnavailable, match=r"duckdb is not allowed here; sources\.sql\.drivers allows postgresql"
    ):
        await Sql(lambda *_: _failure("duckdb:///:memory:")).ask(question(), START)


async def _failure(url: str) -> str:
    return url


async def test_queries_that_never_end_put_others_off_and_are_no_fault_of_theirs(postgres: str) -> None:
    slow = source(postgres.replace("postgresql:", "postgresql+psycopg:"), timeout=4.0)
    query = "SELECT 'control' AS arm, 1 AS n, 1 AS sum, 1 AS sumsq, pg_sleep({})"
    questions = [slow.ask(question(query.format(60), "Mean", "boosted"), START) for _ in range(PROCESSES)]
    hanging = [asyncio.create_task(each) for each in questions]
    await asyncio.sleep(0)  # they have all the processes
    found = await slow.ask(question(query.format(0), "Mean", "boosted"), START)
    assert plain(found) == {"control": (1, 1.0, 0.0)}
    ended = await asyncio.gather(*hanging, return_exceptions=True)
    assert all(isinstance(each, SourceUnavailable) for each in ended)
