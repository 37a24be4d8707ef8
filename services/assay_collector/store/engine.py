"""Opens the database: which pragmas, which transactions, which migrations."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent.parent / "migrations"
CACHE_KIB = 32_768
PAGE = 4_096
CHECKPOINT_PAGES = 32_768  # of the log, at which a commit copies what `checkpointed` has not copied yet
BUSY_SECONDS = 30
SQLITE_SINCE = (3, 35)  # ON CONFLICT with RETURNING


def opened(url: str) -> Engine:
    """Return an engine whose commits are on disk when they return.

    Raises:
        ValueError: The URL names a database that Assay does not speak.
    """
    backend = make_url(url).get_backend_name()
    if backend == "sqlite":
        return _sqlite(url)
    if backend == "postgresql":
        parsed = make_url(url).set(drivername="postgresql+psycopg")
        return create_engine(parsed, pool_pre_ping=True, pool_size=8, connect_args={"connect_timeout": 5})
    raise ValueError(f"database URL names {backend!r}; Assay speaks sqlite and postgresql")


def migrated(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to `revision`; with several replicas one does it and the others wait."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        _alone(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def checkpointed(engine: Engine) -> None:
    """Copy what is committed from SQLite's log into its file, beside the writer, who never waits for it.

    Else a commit would do it, now and then, and all of it at once. Another database has its own ways.

    Raises:
        sqlalchemy.exc.DBAPIError: The disk says no; what is committed stays in the log.
    """
    if engine.dialect.name == "sqlite":
        with engine.connect().execution_options(reading=True) as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")


def _alone(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7016996765293437281)")


def _sqlite(url: str) -> Engine:
    if sqlite3.sqlite_version_info < SQLITE_SINCE:
        raise ValueError(f"SQLite {sqlite3.sqlite_version} is too old; Assay needs 3.35 or newer")
    engine = create_engine(url, connect_args={"cached_statements": 256, "timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        f"page_size = {PAGE}",
        "journal_mode = WAL",
        "synchronous = FULL",  # in WAL mode: fsync at every commit, which NORMAL does not
        f"cache_size = -{CACHE_KIB}",
        f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
        "temp_store = MEMORY",
        f"journal_size_limit = {CHECKPOINT_PAGES * PAGE}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
