"""The schema, its migrations, and the promises of the pragmas."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from assay_collector.attribution.experiment import Plan
from assay_collector.attribution.metric import Aggregate, Mark, Metric, Missing, Source, Type
from assay_collector.attribution.unit import Unit
from assay_collector.store import histories
from assay_collector.store.engine import migrated, opened
from assay_collector.store.plans import plan_text
from assay_collector.store.rows import rows_of
from assay_collector.store.schema import metadata


def test_the_migrations_make_what_the_schema_says(ledger: Any) -> None:
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(ledger: Any) -> None:
    migrated(ledger.engine)
    with ledger.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "0007"


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


MOMENT = 1_800_000_000_000_000
OLD = (
    "INSERT INTO models VALUES (1, 'demo', 'churn'), (2, 'demo', 'other')",
    "INSERT INTO metrics VALUES (1, 1, 'paid')",
    "INSERT INTO windows VALUES (2, 0, 5)",
    *(
        "INSERT INTO experiments (id, uid, model, plan, slots, epoch, closed, folded, created_at, revision, "
        "audit_mismatches, crossover_units, bot_units, duplicate_exposures, orphan_outcomes, late_outcomes) "
        f"VALUES ({number}, 'exp-{number}', {1 + number // 3}, '{{plan}}', '', 1, {closed}, false, 0, 1, "
        "0, 0, 0, 0, 0, 0)"
        for number, closed in ((1, "true"), (2, "false"), (3, "false"))
    ),
)
PLAN = Plan(
    "demo",
    "churn",
    "boost",
    ("control", "boosted"),
    (Metric("paid", Type.MEAN, Source.EVENTS, 60, Missing.ZERO, Aggregate.SUM, None, None),),
    None,
)


MANY = 2_500  # units of one Experiment: more than are moved at a time


def old_rows() -> Iterator[tuple[str, dict[str, Any]]]:
    """A unit of two Experiments with one outcome, one with twenty, one with none, and one that waits."""
    enrol = (
        "INSERT INTO units (experiment, unit, arm, first_at, epoch, exposures, excluded, marks) "
        "VALUES (:experiment, :unit, 1, :at, 1, 2, 0, :marks)"
    )
    tell = "INSERT INTO outcomes VALUES (1, :unit, 1, :key, :at, 2.5, :at)"
    for unit, experiment, outcomes in ((1, 1, 1), (1, 2, 0), (2, 2, 20), (3, 2, 0), (4, 0, 2)):
        name, mark = bytes([unit]) * 16, f"[[{2.5 * outcomes},{MOMENT}]]" if outcomes else "[null]"
        if experiment:
            at = MOMENT - experiment
            yield enrol, {"experiment": experiment, "unit": name, "at": at, "marks": mark}
        for number in range(outcomes):
            yield tell, {"unit": name, "key": bytes([number]) * 16, "at": MOMENT}
    for number in range(MANY):
        yield enrol, {"experiment": 3, "unit": number.to_bytes(16, "big"), "at": MOMENT, "marks": "[null]"}


def test_units_and_outcomes_of_an_older_database_are_moved(url: str) -> None:
    engine = opened(url)
    migrated(engine, "0003")
    with engine.begin() as connection:
        for statement in OLD:
            connection.exec_driver_sql(statement.replace("{plan}", plan_text(PLAN)).replace("%", "%%"))
        for statement, values in old_rows():
            connection.execute(text(statement), values)
    migrated(engine)
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        rows = rows_of(connection)
        known = histories.found(rows, 1, [bytes([unit]) * 16 for unit in range(6)])
        units = {name[0]: set(history.units) for name, history in known.items()}
        assert units == {1: {1, 2}, 2: {2}, 3: {2}, 4: set()}
        outcomes = {name[0]: (len(history.outcomes), history.spilled) for name, history in known.items()}
        assert outcomes == {1: (1, False), 2: (0, True), 3: (0, False), 4: (2, False)}
        assert len(histories.spilled(rows, 1, bytes([2]) * 16)) == 20
        second = known[bytes([2]) * 16].units[2]
        assert second == Unit(1, MOMENT - 2, 1, 2, 0, (Mark(50.0, MOMENT),))
        assert connection.exec_driver_sql("SELECT count(*) FROM histories WHERE model = 2").scalar() == MANY
        firsts = connection.exec_driver_sql(
            "SELECT experiment, first_at FROM firsts WHERE experiment < 3 ORDER BY 1, 2"
        )
        assert [tuple(row) for row in firsts] == [(1, MOMENT - 1), *[(2, MOMENT - 2)] * 3]
        windows = connection.exec_driver_sql("SELECT experiment, metric, closed_until, length FROM windows")
        assert [tuple(row) for row in windows] == [(2, 0, 5, 60)]
        waiting = connection.exec_driver_sql("SELECT arrived, model, unit FROM waiting").all()
        assert [tuple(row) for row in waiting] == [(MOMENT, 1, bytes([4]) * 16)]
    engine.dispose()
