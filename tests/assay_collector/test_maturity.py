"""Units are judged when they are old enough to have had their outcomes; how old that is can be learned."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from assay_collector.attribution.delay import EDGES, cell, learned
from assay_collector.attribution.experiment import Plan, Progress
from assay_collector.attribution.metric import Aggregate, Metric, Missing, Source, Type
from assay_collector.attribution.unit import Exposure
from assay_collector.batch import Declared, Exposures, Outcomes, Reported

SECOND = 1_000_000
HOUR = 3600 * SECOND


def metric(*, learns: bool, lag: int = 10 * HOUR) -> Metric:
    kind = "complaints", Type.PROPORTION, Source.EVENTS, None, Missing.ZERO, Aggregate.ANY, None, None
    return Metric(*kind, lag, learns)


def declared(ledger: Any, *, learns: bool, lag: int = 10 * HOUR) -> Declared:
    metrics = (metric(learns=learns, lag=lag),)
    plan = Plan("demo", "churn", "boost", ("control", "boosted"), metrics, ledger.now)
    return Declared("exp-1", plan, Progress("", 1, closed=False))


def name(number: int) -> bytes:
    return number.to_bytes(16, "big")


def exposed(ledger: Any, *numbers: int) -> Exposures:
    arms = ("control", "boosted")
    named = [(name(n), arms[n % 2]) for n in numbers]
    return Exposures(
        [
            ("exp-1", Exposure(unit, ledger.now, unit, arm, arm, 1, 200, 9, 1, sound=True))
            for unit, arm in named
        ]
    )


def complained(ledger: Any, *numbers: int, value: float = 1.0) -> Outcomes:
    key = str(value).encode()
    rows = [Reported(("demo", "churn"), name(n), "complaints", key, ledger.now, value) for n in numbers]
    return Outcomes(rows)


def mature(ledger: Any, arm: str = "boosted") -> tuple[int, float]:
    sums = ledger.summary()["arms"][arm]["mature"]["complaints"]
    return sums["n"], sums["sum"]


def maturity(ledger: Any) -> dict[str, Any]:
    return dict(ledger.summary()["maturity"]["complaints"])


def test_a_unit_is_mature_when_its_lag_has_passed_and_its_outcomes_go_on_counting(ledger: Any) -> None:
    ledger(declared(ledger, learns=False), exposed(ledger, 1, 3))
    ledger.pass_time(5 * 3600)
    ledger(exposed(ledger, 5), complained(ledger, 1))
    ledger.pass_time(5 * 3600 - 1)
    assert mature(ledger) == (0, 0)
    ledger.pass_time(1)
    assert mature(ledger) == (2, 1)
    assert ledger.summary()["arms"]["boosted"]["metrics"]["complaints"]["n"] == 3, "all units are there, too"
    ledger(complained(ledger, 3, 5))
    assert mature(ledger) == (2, 2)
    ledger.pass_time(5 * 3600)
    assert mature(ledger) == (3, 3)
    assert not maturity(ledger)["learned"]


def test_the_lag_is_learned_from_how_late_outcomes_arrive(ledger: Any) -> None:
    ledger(declared(ledger, learns=True))
    for hour in range(8):
        ledger(exposed(ledger, *range(100 * hour, 100 * hour + 100)))
        ledger.pass_time(1800)
        ledger(complained(ledger, *range(100 * hour, 100 * hour + 20)))
        ledger.pass_time(1800)
    found = maturity(ledger)
    assert found["learned"]
    assert 1800 <= found["lagSeconds"] <= 1800 * 2**0.25
    assert mature(ledger) == (400, 80)


def test_when_outcomes_begin_to_come_later_the_lag_grows_and_says_so(ledger: Any) -> None:
    ledger(declared(ledger, learns=True))
    for hour in range(8):
        ledger(exposed(ledger, *range(100 * hour, 100 * hour + 100)))
        ledger.pass_time(60)
        ledger(complained(ledger, *range(100 * hour, 100 * hour + 10)))
        ledger.pass_time(3540)
    before, revision = maturity(ledger), ledger.summary()["revision"]
    ledger(complained(ledger, *(100 * hour + each for hour in range(4) for each in range(10, 50))))
    ledger.pass_time(1)
    after = maturity(ledger)
    assert after["lagSeconds"] > before["lagSeconds"]
    assert after["until"] == before["until"], "who is in stays in, and nobody comes in yet"
    assert ledger.summary()["revision"] > revision + 1, "the operator hears of it"


def test_a_delay_is_counted_until_the_outcome_arrives_not_until_it_happened(ledger: Any) -> None:
    """A nightly export reports what happened at noon at midnight: until then the unit looks good."""
    ledger(declared(ledger, learns=True), exposed(ledger, *range(100)))
    happened = complained(ledger, *range(100))
    ledger.pass_time(4 * 3600)
    ledger(happened)
    ledger.pass_time(8 * 3600)
    assert maturity(ledger)["lagSeconds"] >= 4 * 3600


def test_outcomes_that_add_nothing_teach_nothing(ledger: Any) -> None:
    ledger(declared(ledger, learns=True), exposed(ledger, *range(100)))
    ledger(complained(ledger, *range(100), value=0.0))
    ledger.pass_time(4 * 3600)
    assert not maturity(ledger)["learned"]
    assert maturity(ledger)["lagSeconds"] == 10 * 3600


def grown(delays: Any, arrived: Any, age: float) -> tuple[Counter[int], Counter[int]]:
    """Return what is counted of units that arrived and whose outcomes have come by an age, all in seconds."""
    here = arrived <= age
    come = here & (arrived + delays <= age)
    cells = [Counter(cell(round(t * SECOND)) for t in times) for times in (delays[come], arrived[here])]
    return cells[0], cells[1]


@pytest.mark.parametrize("power", [pytest.param(1, id="even traffic"), pytest.param(4, id="a ramp")])
@pytest.mark.parametrize("scale", [100.0, 3600.0])
def test_nine_tenths_of_the_outcomes_come_within_the_learned_lag(power: float, scale: float) -> None:
    """Exponential: .9 within 2.3 scales. That young units have had the quick ones only fools nobody."""
    rng = np.random.default_rng(5)
    for age in (2.0, 5.0, 10.0, 30.0):
        arrived = 30 * scale * rng.random(6000) ** (1 / power)
        lag = learned(*grown(rng.exponential(scale, 6000), arrived, age * scale), round(age * scale * SECOND))
        assert lag is None or 1.9 * scale <= lag / SECOND <= 4 * scale
    assert lag is not None


def test_nothing_is_learned_of_few_outcomes_or_of_a_young_experiment() -> None:
    assert learned({}, {0: 100}, HOUR) is None
    assert learned({4: 20}, {0: 100}, HOUR) is None
    assert learned({4: 200}, {0: 1000}, EDGES[4]) is None
    assert learned({4: 200}, {0: 1000}, HOUR) == EDGES[4]
    assert learned({len(EDGES): 200}, {0: 1000}, 10**16) is None
