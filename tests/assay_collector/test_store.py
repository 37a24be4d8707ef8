"""The schema, its migrations, and the promises of the pragmas."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from assay_collector.batch import Tick
from assay_collector.store.engine import migrated, opened
from assay_collector.store.schema import metadata


def test_the_migrations_make_what_the_schema_says(ledger: Any) -> None:
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(ledger: Any) -> None:
    migrated(ledger.engine)
    with ledger.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0003"


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        pytest.param("journal_mode", "wal", id="readers and the writer don't wait for each other"),
        pytest.param("synchronous", 2, id="FULL: a commit is on disk when it returns"),
    ],
)
def test_a_commit_is_durable(tmp_path: Path, pragma: str, value: object) -> None:
    engine = opened(f"sqlite:///{tmp_path}/ledger.db")
    with engine.connect() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
    engine.dispose()


def test_another_database_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="mysql"):
        opened("mysql://somewhere/db")


def test_a_database_of_the_first_release_is_brought_up_to_date(ledger: Any) -> None:
    with ledger.engine.begin() as connection:
        for table in ("cursors", "profiles", "counts", "senders"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    migrated(ledger.engine)
    ledger(Tick(sweep=True))
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
