"""A ledger to call directly, and a collector as a process to talk to, kill and start again."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from pydantic import SecretStr
from servers import free_port
from sqlalchemy import Connection, Engine, insert, select
from starlette.routing import BaseRoute

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it works with httpx as well, which the project has anyway
    from starlette.testclient import TestClient

from assay_assign import pseudonym
from assay_collector.api.app import application
from assay_collector.batch import Answer, Batch, Tick
from assay_collector.ledger.transaction import transact
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.main import collector as build
from assay_collector.settings import Settings
from assay_collector.store.engine import migrated, opened
from assay_collector.store.schema import metadata
from assay_collector.store.summary import summary

KEY = b"a key for tests"
ROLES = ("operator", "gateway", "application", "predictor")
READY_SECONDS = 90
SECOND = 1_000_000


@dataclass
class Ledger:
    """The ledger without HTTP, and with a clock of its own."""

    engine: Engine
    policy: Policy = field(default_factory=Policy)
    now: int = 1_800_000_000 * SECOND

    def __call__(self, *batches: Batch) -> list[Answer]:
        with self.engine.begin() as connection:
            return transact(connection, self.policy, self.now, batches).answers

    def one(self, batch: Batch) -> Answer:
        return self(batch)[0]

    def pass_time(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)
        self(Tick())

    def read(self, query: Callable[[Connection], Any]) -> Any:
        with self.engine.connect() as connection:
            return query(connection)

    def summary(self, uid: str = "exp-1") -> dict[str, Any]:
        found = self.read(lambda connection: summary(connection, uid))
        assert found is not None
        return dict(found)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    found = str(request.getfixturevalue("postgres"))
    engine = opened(found)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    engine.dispose()
    return found


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file as the migrations leave it; each test has a copy."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    engine = opened(f"sqlite:///{path}")
    migrated(engine)
    engine.dispose()  # the last connection takes the log with it
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    return path


@dataclass(frozen=True)
class MigratedDatabase:
    """A database on a server, as the migrations leave it; its tables are emptied for each test."""

    url: str
    first_rows: Mapping[str, Sequence[Mapping[str, Any]]]

    @classmethod
    def made(cls, url: str) -> Self:
        """Create it beside the one of the URL."""
        server = opened(url)
        with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CREATE DATABASE ledger")
        server.dispose()
        engine = opened(url.replace("/postgres?", "/ledger?"))
        migrated(engine)
        with engine.connect() as connection:
            rows = {t.name: connection.execute(select(t)).mappings().all() for t in metadata.sorted_tables}
        engine.dispose()
        return cls(
            url.replace("/postgres?", "/ledger?"), {n: [dict(r) for r in of] for n, of in rows.items()}
        )

    def emptied(self) -> Engine:
        """Return an engine of it, with the rows that the migrations made and no other."""
        engine = opened(self.url)
        with engine.begin() as connection:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
            for table in metadata.sorted_tables:
                if rows := self.first_rows[table.name]:
                    connection.execute(insert(table), rows)
        return engine


@pytest.fixture(scope="session")
def migrated_server(postgres: str) -> MigratedDatabase:
    """A database of the PostgreSQL server."""
    return MigratedDatabase.made(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """A ledger without any event, on each kind of database."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "ledger.db")
        engine = opened(f"sqlite:///{path}")
    else:
        engine = request.getfixturevalue("migrated_server").emptied()
    yield Ledger(engine)
    engine.dispose()


class Process:
    """A collector process; it keeps its port and its database over restarts."""

    def __init__(self, folder: Path, url: str | None = None, **settings: str) -> None:
        tokens = folder / "tokens"
        tokens.mkdir()
        for role in ROLES:
            (tokens / role).write_text(f"{role}-token\n")
        (folder / "key").write_bytes(KEY)
        self.tokens = tokens
        self.log = folder / "collector.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = os.environ | {
            "ASSAY_DATABASE_URL": url or f"sqlite:///{folder}/collector.db",
            "ASSAY_TOKENS_DIR": str(tokens),
            "ASSAY_UNIT_KEY_FILE": str(folder / "key"),
            "ASSAY_LISTEN_HOST": "127.0.0.1",
            "ASSAY_LISTEN_PORT": str(self.port),
            **{f"ASSAY_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "assay_collector"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            assert self._process.poll() is None, self.log.read_text()
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/readyz").is_success:
                    return
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.log.read_text()}")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(30)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def client(self, role: str, **kwargs: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {role}-token"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, **kwargs)

    def summary(self, uid: str = "exp-1") -> dict[str, Any]:
        with self.client("operator") as client:
            answer = client.get(f"/v1/experiments/{uid}/summary")
            assert answer.status_code == 200, answer.text
            return dict(answer.json())


class Caller(TestClient):
    """A client of an application that somebody else started."""

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Local:
    """The collector's application on a real database, without a network."""

    def __init__(self, folder: Path, *, tick_seconds: float = 1.0) -> None:
        self.tokens = folder / "tokens"
        self.tokens.mkdir(exist_ok=True)
        for role in ROLES:
            (self.tokens / role).write_text(f"{role}-token\n")
        (folder / "key").write_bytes(KEY)
        url = SecretStr(f"sqlite:///{folder}/collector.db")
        parts = build(Settings(database_url=url, tokens_dir=self.tokens, unit_key_file=folder / "key"))
        self._app = application(replace(parts, tick_seconds=tick_seconds))
        self._client = TestClient(self._app, raise_server_exceptions=False)

    def __enter__(self) -> "Local":
        self._client.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._client.__exit__(*failure)

    def client(self, role: str) -> Caller:
        client = Caller(self._app, headers={"Authorization": f"Bearer {role}-token"})
        client.portal = self._client.portal  # the one event loop on which the writer answers
        return client

    def routes(self) -> list[BaseRoute]:
        return self._app.routes

    def summary(self, uid: str = "exp-1") -> dict[str, Any]:
        answer = self.client("operator").get(f"/v1/experiments/{uid}/summary")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


@pytest.fixture(scope="session")
def make_local() -> type[Local]:
    """For tests that share one collector."""
    return Local


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Local]:
    with Local(tmp_path) as local:
        yield local


@pytest.fixture
def make_collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Process]]:
    """Make collectors with settings of their own; the test starts them."""
    made: list[Process] = []

    def make(url: str | None = None, **settings: str) -> Process:
        made.append(Process(tmp_path_factory.mktemp("collector"), url, **settings))
        return made[-1]

    yield make
    for process in made:
        process.stop()


@pytest.fixture
def experiment() -> dict[str, Any]:
    """What the operator PUTs."""
    return {
        "namespace": "demo",
        "name": "boost",
        "model": "churn",
        "arms": ["control", "boosted"],
        "table": "control:0-5000,boosted:5000-10000",
        "epoch": 1,
        "metrics": [
            {"name": "retained", "type": "Proportion"},
            {"name": "paid", "type": "Mean", "aggregate": "Sum", "missing": "Ignore"},
            {"name": "errors", "type": "Proportion", "source": "Gateway"},
        ],
        "startedAt": "2026-01-01T00:00:00Z",
        "closed": False,
    }


@pytest.fixture
def exposure() -> Callable[..., dict[str, Any]]:
    """A record as the shipper sends it; `unit` is the raw id."""

    def make(number: int | str, unit: str, arm: str = "control", **other: Any) -> dict[str, Any]:
        record = {
            "id": f"request-{number}", "ts": time.time(), "experiment": "exp-1", "epoch": 1,
            "unit": pseudonym(KEY, unit), "arm": arm, "served": arm, "version": "churn-1", "status": 200,
            "duration_us": 900, "attempts": 1, "audit": "ok",
        }  # fmt: skip
        return record | other

    return make


@pytest.fixture
def outcome() -> Callable[..., dict[str, Any]]:
    """A record as the application sends it."""

    def make(number: int | str, unit: str, metric: str = "retained", value: float = 1) -> dict[str, Any]:
        named = {"model": "demo/churn", "unit": unit, "metric": metric}
        return named | {"value": value, "id": f"event-{number}"}

    return make
