"""What is due is done at once when a collector starts, however much it is."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay_collector.attribution.experiment import Plan, Progress
from assay_collector.attribution.metric import Aggregate, Metric, Missing, Source, Type
from assay_collector.attribution.unit import Exposure
from assay_collector.batch import Declared, Exposures
from assay_collector.ledger import closing, sweeping
from assay_collector.ledger.transaction import transact
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store.engine import migrated, opened

SECOND = 1_000_000
HOUR = 3_600 * SECOND
UNITS = 2 * closing.STEP + 1
METRIC = Metric("retained", Type.PROPORTION, Source.EVENTS, HOUR, Missing.ZERO, Aggregate.ANY, None, None)


def filled(folder: Path) -> None:
    """A database as a collector left it that was away for eight days: windows to close, ids to forget."""
    then = (int(time.time()) - 8 * 86_400) * SECOND
    plan = Plan("demo", "churn", "boost", ("control",), (METRIC,), None)
    names = [number.to_bytes(16, "big") for number in range(UNITS)]
    exposed = [Exposure(n, then, n, "control", "control", 1, 200, 9, 1, sound=True) for n in names]
    batches = (
        Declared("exp-1", plan, Progress("", 1, closed=False)),
        Exposures([("exp-1", e) for e in exposed]),
    )
    engine = opened(f"sqlite:///{folder}/collector.db")
    migrated(engine)
    with engine.begin() as connection:
        transact(connection, Policy(), then, batches)
    engine.dispose()


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)


def test_all_that_is_due_is_done_without_waiting_for_the_next_tick(
    make_local: type[Any], tmp_path: Path
) -> None:
    assert 2 * max(closing.STEP, sweeping.STEP) < UNITS
    filled(tmp_path)
    engine = opened(f"sqlite:///{tmp_path}/collector.db")

    def remembered() -> int:
        with engine.connect().execution_options(reading=True) as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM exposures").scalar_one())

    with make_local(tmp_path, tick_seconds=1_000) as local:
        wait_for(lambda: local.summary()["arms"]["control"]["metrics"]["retained"]["n"] == UNITS)
        wait_for(lambda: remembered() == 0)
        assert local.summary()["arms"]["control"]["units"] == UNITS
    engine.dispose()
