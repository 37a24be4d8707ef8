"""A `MetricSource` over any database that SQLAlchemy has a driver for: the database sums, a row for each arm.

A process of its own asks each question (`sql_worker.py`), bounded in memory and time, in a transaction that
is never committed, and read-only where a database has such. The URL comes from a Secret and is read anew for
each question; no message holds any of it, and none a database's own words.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import Any

from sqlalchemy import URL, exc, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from assay_api import Ref
from assay_operator.telemetry import Question, SourceError, SourceUnavailable
from assay_operator.telemetry.sums import Exact, Sums, moments

TIMEOUT = 30.0  # seconds
CONNECT = 5  # seconds
PROCESSES = 4  # queries at once
COLUMNS = ("n", "sum", "sumsq", "variance", "shift")  # beside arm; the last three may be absent
POSTGRESQL = "postgresql"
WORKER = Path(__file__).with_name("sql_worker.py")
# What a process needs of the operator's environment: nothing that names a credential.
ENVIRONMENT = ("PATH", "LANG", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TZ")

Secret = Callable[[Ref, str], Awaitable[str]]


@dataclass(frozen=True)
class Sql:
    """Asks databases.

    Attributes:
        secret: Reads one key of a Secret; raises `SourceUnavailable`.
        drivers: Names of the databases that may be asked, as SQLAlchemy's URLs begin. An embedded one, such
            as duckdb or sqlite, reads files of this very pod: only where authors of Experiments may.
        timeout: Seconds.
    """

    secret: Secret
    drivers: tuple[str, ...] = (POSTGRESQL,)
    timeout: float = TIMEOUT
    _processes: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PROCESSES))

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Any]:  # noqa: ARG002
        """See `MetricSource.ask`."""
        query = question.metric.sql
        assert query is not None
        ref = Ref(question.ref.namespace, query.url_secret_ref.name)
        url = self._url(await self.secret(ref, query.url_secret_ref.key))
        request = _request(url, query.query, _parameters(question)) | {"timeout": self.timeout}
        try:
            async with self._processes, asyncio.timeout(self.timeout):  # to wait for a turn is no fault
                answer = await _answer(request)
        except TimeoutError as error:
            raise SourceUnavailable(f"the database did not answer within {self.timeout:g} s") from error
        rows = _sums_by_arm(answer)
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


def _request(url: URL, query: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what `sql_worker` reads."""
    typed = {
        name: ("moment", value.isoformat()) if isinstance(value, datetime) else ("text", str(value))
        for name, value in parameters.items()
    }
    dialect = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
    compiled = text(query).compile(dialect=dialect)
    if unknown := compiled.params.keys() - typed.keys():
        known = ", ".join(f":{name}" for name in typed)
        raise SourceUnavailable(f"the query names :{', :'.join(sorted(unknown))}; there are {known}")
    if url.get_backend_name() != POSTGRESQL:
        wanted = {name: typed[name] for name in compiled.params}
        whole = url.render_as_string(hide_password=False)
        return {"url": whole, "query": query, "parameters": wanted, "columns": COLUMNS}
    if url.drivername != "postgresql+psycopg":
        raise SourceUnavailable(f"the operator's image has no driver for {url.drivername}")
    _, connect = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    return {
        "connect": connect | {"connect_timeout": CONNECT},
        "query": str(compiled),
        "parameters": [typed[name] for name in compiled.positiontup or ()],
        "columns": COLUMNS,
    }


async def _answer(request: dict[str, Any]) -> list[list[Any]]:
    """Ask in a process, which never outlives the question.

    Raises:
        SourceUnavailable: The worker has no answer, with a class of error.
    """
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", str(WORKER)),
        stdin=pipe,
        stdout=pipe,
        stderr=nothing,
        env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
    )
    try:
        written, _ = await process.communicate(json.dumps(request).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer = json.loads(written)
    except ValueError:
        raise SourceUnavailable(f"the database ended the worker, with code {process.returncode}") from None
    if "error" in answer:
        raise SourceUnavailable(answer["error"])
    rows: list[list[Any]] = answer["rows"]
    return rows


def _sums_by_arm(rows: list[list[Any]]) -> dict[str, Sums | str]:
    sums: dict[str, Sums | str] = {}
    for arm, *numbers in rows:
        if arm in sums:
            raise SourceUnavailable("the query returns an arm twice; group by arm")
        sums[arm] = _sums({name: value for name, value in zip(COLUMNS, numbers, strict=True) if value != 0})
    return sums


def _sums(values: Mapping[str, Any]) -> Sums | str:
    """Read a row, or return what is missing in it; sums over no rows are NULL in SQL."""
    try:
        numbers = {name: _number(*value) for name, value in values.items() if value is not None}
    except (ValueError, OverflowError, InvalidOperation):
        raise SourceError(f"{', '.join(COLUMNS)} must be numbers") from None
    n = numbers.get("n", 0)
    if not n:
        return Sums(0, 0)
    unneeded = {"variance"} if n == 1 else set()  # of one value there is none
    for name in sorted(values.keys() - numbers.keys() - unneeded):
        return f"{name} is NULL, with {float(n):g} units; if that means 0, write coalesce({name}, 0)"
    variance = numbers.get("variance", 0 if "variance" in values else None)
    return Sums(n, numbers["sum"], numbers.get("sumsq"), variance, numbers.get("shift", 0))


def _number(kind: str, digits: str) -> Exact:
    """Keep what is exact in the database."""
    number = Decimal(digits) if kind == "exact" else float(digits)
    return Fraction(number) if kind == "exact" and isfinite(number) else float(number)
