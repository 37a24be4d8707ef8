"""What is forgotten, when, and what never is."""

from typing import Any

import pytest
from sqlalchemy import select, text

from assay_collector.attribution import history
from assay_collector.attribution.experiment import Plan, Progress
from assay_collector.attribution.metric import Aggregate, Metric, Missing, Source, Type
from assay_collector.attribution.unit import Exposure
from assay_collector.batch import Declared, Exposures, Outcomes, Reported
from assay_collector.ledger.sweeping import sweep
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store import schema

SECOND = 1_000_000
METRIC = Metric("retained", Type.PROPORTION, Source.EVENTS, None, Missing.ZERO, Aggregate.ANY, None, None)


def declared(uid: str = "exp-1", *, closed: bool = False) -> Declared:
    plan = Plan("demo", "churn", "boost", ("control",), (METRIC,), None)
    return Declared(uid, plan, Progress("", 1, closed))


def exposed(ledger: Any, *units: int, uid: str = "exp-1") -> Exposures:
    return Exposures(
        [
            (
                uid,
                Exposure(
                    bytes([n]) * 16,
                    ledger.now,
                    bytes([n]) * 16,
                    "control",
                    "control",
                    1,
                    200,
                    9,
                    1,
                    sound=True,
                ),
            )
            for n in units
        ]
    )


def reported(ledger: Any, *units: int) -> Outcomes:
    return Outcomes(
        [Reported(("demo", "churn"), bytes([n]) * 16, "retained", bytes([n]), ledger.now, 1.0) for n in units]
    )


def rows(ledger: Any, table: str) -> int:
    return int(
        ledger.read(lambda connection: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar())
    )


def kept(ledger: Any) -> int:
    """How many outcomes are kept, in histories or in rows of their own."""
    stored = select(schema.histories.c.state)
    states = ledger.read(lambda connection: connection.execute(stored).scalars().all())
    return rows(ledger, "outcomes") + sum(len(history.read(state).outcomes) for state in states)


def swept(ledger: Any, step: int = 3) -> int:
    """Sweep until nothing is left to forget, and return how many steps that took."""
    for number in range(100):
        with ledger.engine.begin() as connection:
            if not sweep(connection, ledger.policy, ledger.now, step):
                return number
    raise AssertionError("there is no end")


@pytest.fixture
def policy(ledger: Any) -> Policy:
    ledger.policy = Policy(grace=100 * SECOND, retention=1_000 * SECOND)
    return Policy()


@pytest.mark.usefixtures("policy")
def test_orphans_are_forgotten_after_the_grace_time_and_attributed_outcomes_are_not(ledger: Any) -> None:
    ledger(declared(), exposed(ledger, 0, 1, 2), reported(ledger, *range(10)))
    ledger.now += 100 * SECOND - 1
    swept(ledger)
    assert kept(ledger) == 10
    ledger.now += 1
    swept(ledger)
    assert (kept(ledger), rows(ledger, "waiting")) == (3, 0)
    assert ledger.summary()["checks"]["orphanOutcomes"] == 7


@pytest.mark.usefixtures("policy")
def test_the_sweeper_looks_at_nothing_twice(ledger: Any) -> None:
    ledger(declared(), reported(ledger, *range(10)))
    ledger(exposed(ledger, *range(9)))
    ledger.now += 100 * SECOND
    assert swept(ledger) > 0
    assert kept(ledger) == 9
    assert swept(ledger) == 0


@pytest.mark.usefixtures("policy")
def test_ids_of_exposures_are_known_for_the_retention_time(ledger: Any) -> None:
    batch = exposed(ledger, *range(10))
    ledger(declared(), batch)
    ledger.now += 1_000 * SECOND - 1
    swept(ledger)
    assert ledger.one(batch).duplicates == 10
    ledger.now += 1
    assert swept(ledger) == 3
    assert rows(ledger, "exposures") == 0
    assert ledger.one(batch).late == 10, "what can't be told from a repetition is not counted"
    assert ledger.summary()["arms"]["control"]["exposures"] == 10


@pytest.mark.usefixtures("policy")
def test_a_finished_experiment_is_folded_into_its_sums(ledger: Any) -> None:
    ledger(declared(), exposed(ledger, *range(10)), reported(ledger, *range(5)))
    ledger(declared(closed=True))
    before = ledger.summary()
    ledger.now += 1_000 * SECOND
    assert swept(ledger) >= 4
    assert not any(
        rows(ledger, table) for table in ("histories", "firsts", "outcomes", "exposures", "windows")
    )
    assert ledger.summary() == before
    assert ledger.one(exposed(ledger, 1)).unknown == 1


@pytest.mark.usefixtures("policy")
def test_folding_leaves_the_outcomes_of_units_that_the_next_experiment_has(ledger: Any) -> None:
    ledger(declared(), exposed(ledger, 1, 2), reported(ledger, 1, 2))
    ledger(declared(closed=True), declared("exp-2"))
    ledger(exposed(ledger, 2, uid="exp-2"))
    ledger.now += 1_000 * SECOND
    swept(ledger)
    assert kept(ledger) == 1
    assert ledger.summary("exp-2")["arms"]["control"]["metrics"]["retained"]["sum"] == 1


@pytest.mark.usefixtures("policy")
def test_a_running_experiment_keeps_its_units_for_ever(ledger: Any) -> None:
    ledger(declared(), exposed(ledger, *range(10)))
    ledger.now += 1_000_000 * SECOND
    swept(ledger)
    assert rows(ledger, "histories") == 10


def many(ledger: Any, unit: int, ids: range) -> Outcomes:
    """Outcomes of one unit, with these ids."""
    name, now = bytes([unit]) * 16, ledger.now
    return Outcomes([Reported(("demo", "churn"), name, "retained", bytes([n]) * 16, now, 1.0) for n in ids])


@pytest.mark.usefixtures("policy")
@pytest.mark.parametrize("number", [3, 50])
def test_of_a_unit_that_nobody_has_exposed_what_came_early_is_forgotten_first(
    ledger: Any, number: int
) -> None:
    ledger(declared(), many(ledger, 1, range(number)))
    ledger.now += 60 * SECOND
    ledger(many(ledger, 1, range(number - 1, number + 2)))
    assert kept(ledger) == number + 2
    ledger.now += 60 * SECOND
    swept(ledger)
    assert kept(ledger) == 2
    ledger.now += 60 * SECOND
    swept(ledger)
    assert (kept(ledger), rows(ledger, "histories"), rows(ledger, "waiting")) == (0, 0, 0)


@pytest.mark.usefixtures("policy")
def test_folding_forgets_the_rows_of_units_with_many_outcomes(ledger: Any) -> None:
    ledger(declared(), exposed(ledger, 1, 2), many(ledger, 1, range(50)), reported(ledger, 2))
    assert (rows(ledger, "outcomes"), kept(ledger)) == (50, 51)
    ledger(declared(closed=True))
    ledger.now += 1_000 * SECOND
    swept(ledger)
    assert (kept(ledger), rows(ledger, "histories")) == (0, 0)
