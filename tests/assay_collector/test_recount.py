"""Whatever comes in, in whatever order, however often: the sums are those of a count from the raw input."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from assay_collector.attribution.delay import cell
from assay_collector.attribution.experiment import Plan, Progress
from assay_collector.attribution.history import KEPT
from assay_collector.attribution.metric import Aggregate, Metric, Missing, Source, Type
from assay_collector.attribution.unit import Exposure, Patience
from assay_collector.batch import Batch, Declared, Exposures, Outcomes, Reported, Tick
from assay_collector.ledger.transaction import transact
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store import histories
from assay_collector.store.schema import arrivals, clock, delays, metadata
from assay_collector.store.summary import summary

SECOND = 1_000_000
NOW = 1_800_000_000 * SECOND
WINDOW = 100
SKEW = 5
ARMS = ("control", "boosted")
METRICS = (
    Metric(
        "any",
        Type.PROPORTION,
        Source.EVENTS,
        None,
        Missing.ZERO,
        Aggregate.ANY,
        None,
        None,
        lag=WINDOW * SECOND,
        learns_lag=True,
    ),
    Metric("sum", Type.MEAN, Source.EVENTS, WINDOW * SECOND, Missing.ZERO, Aggregate.SUM, None, 6.0),
    Metric("last", Type.MEAN, Source.EVENTS, None, Missing.IGNORE, Aggregate.LAST, None, None),
    Metric("errors", Type.PROPORTION, Source.GATEWAY, None, Missing.ZERO, Aggregate.ANY, None, None),
)


@dataclass(frozen=True)
class ExposureEvent:
    """An exposure: `number` is its id."""

    number: int
    unit: int
    at: int
    arm: int
    status: int


@dataclass(frozen=True)
class OutcomeEvent:
    """An outcome: its values are quarters, so that sums are exact in any order."""

    number: int
    unit: int
    metric: int
    at: int
    value: float


times = st.integers(-30, 150)
units = st.integers(0, 3)
# The arm goes with the unit, save for one unit that is in both.
sightings = st.builds(
    ExposureEvent, st.integers(0, 99), units, times, st.just(0), st.sampled_from([200, 200, 503])
).flatmap(
    lambda exposure: st.sampled_from([0, 1] if exposure.unit == 0 else [exposure.unit % 2]).map(
        lambda arm: ExposureEvent(exposure.number, exposure.unit, exposure.at, arm, exposure.status)
    )
)
tellings = st.builds(
    OutcomeEvent,
    st.integers(0, 99),
    units,
    st.integers(0, 2),
    times,
    st.integers(0, 16).map(lambda value: value / 4),
)
events = st.lists(st.one_of(sightings, tellings), max_size=40, unique_by=lambda e: (type(e), e.number))


def batch(event: ExposureEvent | OutcomeEvent) -> Batch:
    name = bytes([event.unit]) * 16
    key = bytes([event.number]) * 16
    at = NOW + event.at * SECOND
    if isinstance(event, ExposureEvent):
        arm = ARMS[event.arm]
        return Exposures([("exp-1", Exposure(key, at, name, arm, arm, 1, event.status, 9, 1, sound=True))])
    return Outcomes([Reported(("demo", "churn"), name, METRICS[event.metric].name, key, at, event.value)])


def recount(
    given_events: Iterable[ExposureEvent | OutcomeEvent],
) -> dict[str, dict[str, tuple[int, float, float]]]:
    """Count from scratch, in the plainest way: all events known, all windows closed."""
    known = list(given_events)
    cells: dict[str, dict[str, list[float]]] = {arm: {m.name: [] for m in METRICS} for arm in ARMS}
    for unit in {event.unit for event in known if isinstance(event, ExposureEvent)}:
        exposures = [event for event in known if isinstance(event, ExposureEvent) and event.unit == unit]
        if len({event.arm for event in exposures}) > 1:
            continue
        first = min(event.at for event in exposures)
        cell = cells[ARMS[exposures[0].arm]]
        for position, metric in enumerate(METRICS[:3]):
            outcomes = [
                e for e in known if isinstance(e, OutcomeEvent) and e.unit == unit and e.metric == position
            ]
            outcomes = [
                e
                for e in outcomes
                if e.at >= first - SKEW and (metric.window is None or e.at <= first + WINDOW)
            ]
            cell[metric.name] += value_of(metric, outcomes)
        cell["errors"].append(float(any(event.status == 503 for event in exposures)))
    return {
        arm: {name: (len(v), sum(v), sum(each * each for each in v)) for name, v in of.items()}
        for arm, of in cells.items()
    }


def value_of(metric: Metric, outcomes: list[OutcomeEvent]) -> list[float]:
    if metric.name == "any":
        return [float(any(event.value for event in outcomes))]
    if metric.name == "sum":
        return [min(6.0, sum(event.value for event in outcomes))]
    return [max(outcomes, key=lambda event: (event.at, event.value)).value] if outcomes else []


def counted(engine: Engine) -> dict[str, dict[str, tuple[int, float, float]]]:
    with engine.connect() as connection:
        found: Any = summary(connection, "exp-1")
    return {
        arm: {name: (m["n"], m["sum"], m["sumsq"]) for name, m in of["metrics"].items()}
        for arm, of in found["arms"].items()
    }


@pytest.mark.parametrize("kept", [pytest.param(KEPT, id="few"), pytest.param(1, id="in rows of their own")])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events, st.randoms(use_true_random=False), st.integers(1, 8))
def test_sums_equal_a_recount_in_any_order_with_any_repetition(
    ledger: Any, kept: int, happened: list[ExposureEvent | OutcomeEvent], dice: Any, group: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histories, "KEPT", kept)
        recounted(ledger, happened, dice, group)


def recounted(ledger: Any, happened: list[ExposureEvent | OutcomeEvent], dice: Any, group: int) -> None:
    engine = ledger.engine
    metadata.drop_all(engine)
    metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(clock.insert().values(id=1, revision=0))
    policy = Policy(Patience(skew=SKEW * SECOND, lateness=1_000_000 * SECOND))
    arriving = happened + [event for event in happened if dice.random() < 0.3]
    dice.shuffle(arriving)
    plan = Plan("demo", "churn", "boost", ARMS, METRICS, None)
    batches: list[Batch] = [Declared("exp-1", plan, Progress("", 1, closed=False)), *map(batch, arriving)]
    now = NOW + 200 * SECOND  # all of it has happened
    for start in range(0, len(batches), group):
        with engine.begin() as connection:
            transact(connection, policy, now, batches[start : start + group])
    with engine.begin() as connection:
        transact(connection, policy, now + 2_000_000 * SECOND, [Tick()])
    expected = recount(happened)
    assert counted(engine) == expected
    assert mature(engine) == {arm: cells["any"] for arm, cells in expected.items()}
    assert late(engine) == delays_of(happened, now)


def mature(engine: Engine) -> dict[str, tuple[int, float, float]]:
    with engine.connect() as connection:
        found: Any = summary(connection, "exp-1")
    of = {arm: counts["mature"]["any"] for arm, counts in found["arms"].items()}
    return {arm: (m["n"], m["sum"], m["sumsq"]) for arm, m in of.items()}


def late(engine: Engine) -> tuple[dict[int, int], dict[int, int]]:
    """Return the cells of arrivals and of delays that are not empty."""
    with engine.connect() as connection:
        rows = [list(connection.execute(select(table.c.cell, table.c.n))) for table in (arrivals, delays)]
    units, outcomes = ({cell: n for cell, n in found if n} for found in rows)
    return units, outcomes


def delays_of(
    happened: Iterable[ExposureEvent | OutcomeEvent], now: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Count from scratch: of units in one arm, when they came and how long after that an outcome arrived."""
    known, units, outcomes = list(happened), Counter[int](), Counter[int]()
    for unit in {event.unit for event in known if isinstance(event, ExposureEvent)}:
        exposed = [event for event in known if isinstance(event, ExposureEvent) and event.unit == unit]
        if len({event.arm for event in exposed}) > 1:
            continue
        first = min(event.at for event in exposed)
        units[cell(NOW + first * SECOND - now)] += 1
        recorded = [e for e in known if isinstance(e, OutcomeEvent) and e.unit == unit and e.metric == 0]
        if any(event.value for event in recorded if event.at >= first - SKEW):
            outcomes[cell(now - NOW - first * SECOND)] += 1
    return dict(units), dict(outcomes)
