"""A `MetricSource` over any database that SQLAlchemy has a driver for: the database sums, a row for each arm.

Queries run in threads, in a transaction that is never committed, and read-only where a database has such.
The URL comes from a Secret and is read anew for each question; no message holds any of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import isfinite
from typing import Any

from sqlalchemy import URL, Connection, create_engine, exc, make_url, text
from sqlalchemy.pool import NullPool

from assay_api import Ref
from assay_operator.telemetry import Question, SourceError, SourceUnavailable
from assay_operator.telemetry.sums import Exact, Sums, moments

TIMEOUT = 30.0  # seconds
CONNECT = 5  # seconds
THREADS = 4  # queries at once; one that hangs keeps its thread, and never more than these
MOST_ROWS = 100
COLUMNS = ("n", "sum", "sumsq", "variance", "shift")  # beside arm; the last three may be absent
POSTGRESQL = "postgresql"

Secret = Callable[[Ref, str], Awaitable[str]]


@dataclass(frozen=True)
class Sql:
    """Asks databases.

    Attributes:
        secret: Reads one key of a Secret; raises `SourceUnavailable`.
        drivers: Names of the databases that may be asked, as SQLAlchemy's URLs begin. An embedded one, such
            as duckdb or sqlite, reads files of this very process: only where authors of Experiments may.
        timeout: Seconds.
    """

    secret: Secret
    drivers: tuple[str, ...] = (POSTGRESQL,)
    timeout: float = TIMEOUT
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(THREADS, "sql"))

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Any]:  # noqa: ARG002
        """See `MetricSource.ask`."""
        query = question.metric.sql
        assert query is not None
        ref = Ref(question.ref.namespace, query.url_secret_ref.name)
        url = self._url(await self.secret(ref, query.url_secret_ref.key))
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, _fetched, url, query.query, _parameters(question), self.timeout
        )
        try:
            rows = await asyncio.wait_for(work, self.timeout)
        except TimeoutError as error:
            raise SourceUnavailable(f"the database did not answer within {self.timeout:g} s") from error
        except exc.SQLAlchemyError as error:
            raise SourceUnavailable(f"the database says: {_reason(error)}") from error
        complete = {arm: row for arm, row in rows.items() if isinstance(row, Sums)}
        absent = {arm: f"arm {arm}: {row}" for arm, row in rows.items() if isinstance(row, str)}
        return moments(complete, question, absent)

    def _url(self, secret: str) -> URL:
        """Parse; the parser's own complaint would repeat the password."""
        try:
            url = make_url(secret.strip())
            name = url.get_backend_name()
        except (exc.ArgumentError, ValueError):
            raise SourceUnavailable("the Secret holds no SQLAlchemy URL") from None
        if name not in self.drivers:
            allowed = ", ".join(self.drivers)
            raise SourceUnavailable(
                f"database {name} is not allowed here; sources.sql.drivers allows {allowed}"
            )
        return url


def _parameters(question: Question) -> dict[str, Any]:
    return {
        "uid": question.uid,
        "experiment": question.experiment,
        "namespace": question.ref.namespace,
        "model": question.ref.name,
        "started_at": question.started_at,
    }


def _fetched(url: URL, query: str, parameters: dict[str, Any], timeout: float) -> dict[str, Sums | str]:
    """Ask, in a thread. A connection for each question: they are a minute apart, and Secrets change."""
    postgresql = url.get_backend_name() == POSTGRESQL
    patience = {"connect_timeout": CONNECT} if postgresql else {}
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args=patience, hide_parameters=True)
    except (ImportError, exc.ArgumentError) as error:
        raise SourceUnavailable(f"the operator's image has no driver for {url.drivername}") from error
    with engine.connect() as connection:
        if postgresql:
            connection.execution_options(postgresql_readonly=True)
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(timeout * 1000)}")
        return _rows(connection, query, parameters)


def _rows(connection: Connection, query: str, parameters: dict[str, Any]) -> dict[str, Sums | str]:
    statement = text(query)
    wanted = {name: parameters[name] for name in statement.compile().params if name in parameters}
    found = connection.execute(statement, wanted)
    columns = {name.lower(): at for at, name in enumerate(found.keys())}
    if absent := {"arm", "n", "sum"} - columns.keys():
        raise SourceUnavailable(
            f"the query returns {', '.join(columns)}; it lacks {', '.join(sorted(absent))}"
        )
    rows = found.fetchmany(MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise SourceUnavailable(f"the query returns more than {MOST_ROWS} rows; group by arm")
    sums: dict[str, Sums | str] = {}
    for row in rows:
        arm = str(row[columns["arm"]])
        if arm in sums:
            raise SourceUnavailable(f"the query returns arm {arm[:63]} twice; group by arm")
        sums[arm] = _sums(row, columns)
    return sums


def _sums(row: Any, columns: Mapping[str, int]) -> Sums | str:
    """Read a row, or return what is missing in it; sums over no rows are NULL in SQL."""
    values = {name: row[columns[name]] for name in COLUMNS if name in columns}
    try:
        numbers = {name: _number(value) for name, value in values.items() if value is not None}
    except (TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{', '.join(COLUMNS)} must be numbers") from error
    n = numbers.get("n", 0)
    if not n:
        return Sums(0, 0)
    unneeded = {"variance"} if n == 1 else set()  # of one value there is none
    for name in sorted(values.keys() - numbers.keys() - unneeded):
        return f"{name} is NULL, with {float(n):g} units; if that means 0, write coalesce({name}, 0)"
    variance = numbers.get("variance", 0 if "variance" in columns else None)
    return Sums(n, numbers["sum"], numbers.get("sumsq"), variance, numbers.get("shift", 0))


def _number(value: Any) -> Exact:
    """Keep what is exact in the database."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Fraction(value) if isfinite(value) else float(value)
    return float(value)


def _reason(error: exc.SQLAlchemyError) -> str:
    """Return the first line of the database's own words; at most they name host and user."""
    words = str(getattr(error, "orig", None) or type(error).__name__).strip()
    return words.splitlines()[0][:200] if words else type(error).__name__
