"""Counts may only grow: what fell is left out, and says so."""

from typing import Any

import pytest

from assay_api import Metric
from assay_api.experiment_status import Counted
from assay_operator.decide.experiment_facts import ArmCounts
from assay_operator.decide.growth import Growth
from assay_stats import Moments

RAW = {"source": "Prometheus", "prometheus": {"count": "units_total", "sum": "orders_total"}}
INCREASE = RAW | {"prometheus": {"count": "increase(units_total[$elapsed])", "sum": "x"}}
SQL = {"source": "SQL", "sql": {"urlSecretRef": {"name": "w"}, "query": "q"}}
BEFORE = Counted(metric="m", arm="control", units=1000, events=100)


@pytest.mark.parametrize(
    ("source", "excluded", "now", "words"),
    [
        pytest.param(RAW, 0, (1000, 100), "", id="as many"),
        pytest.param(RAW, 0, (999, 100), "has 999 units and had 1000", id="one unit less"),
        pytest.param(RAW, 0, (1200, 99), "has 99 events and had 100", id="one event less, of a counter"),
        pytest.param(SQL, 0, (1200, 99), "", id="an order that was taken back"),
        pytest.param(SQL, 0, (999, 100), "has 999 units", id="a row that is gone"),
        pytest.param(INCREASE, 0, (981, 98), "", id="what extrapolation may waver by"),
        pytest.param(INCREASE, 0, (900, 100), "has 900 units", id="more than that"),
        pytest.param(RAW, 0, (0, 0), "has 0 units", id="nothing at all"),
        pytest.param({}, 3, (997, 90), "", id="three that crossed"),
        pytest.param({}, 3, (996, 90), "has 996 units", id="the collector forgot one"),
    ],
)
def test_what_counts_less_than_before_is_left_out(
    source: dict[str, Any], excluded: int, now: tuple[int, int], words: str
) -> None:
    metric = Metric.model_validate({"name": "m"} | source)
    sums = Moments.proportion(*now)
    arms = [ArmCounts("control", "v", moments={"m": sums, "other": sums}), ArmCounts("b", "w")]
    before = BEFORE.model_copy(update={"events": BEFORE.events * ("prometheus" in source)})
    kept, gaps = Growth((metric,), (before,), excluded).checked(arms)
    assert [gap.reason for gap in gaps] == (["SourceReset"] if words else [])
    assert words in "".join(gap.message for gap in gaps)
    assert kept[0].moments == ({"other": sums} if words else {"m": sums, "other": sums})


def test_an_arm_that_was_dropped_may_lose_its_counts() -> None:
    metric = Metric.model_validate({"name": "m"} | RAW)
    arms = [ArmCounts("control", "v", moments={"m": Moments.proportion(1, 0)})]
    assert Growth((metric,), (BEFORE,), dropped=frozenset({"control"})).checked(arms)[1] == ()


def test_the_most_that_was_counted_is_kept() -> None:
    metric = Metric.model_validate({"name": "m"} | RAW)
    growth = Growth((metric,), (BEFORE,))
    more = ArmCounts("control", "v", moments={"m": Moments.proportion(1100, 90)})
    new = ArmCounts("b", "w", moments={"m": Moments.proportion(7, 1)})
    assert growth.after([more, new]) == (
        BEFORE.model_copy(update={"units": 1100}),
        Counted(metric="m", arm="b", units=7, events=1),
    )
    assert growth.after([ArmCounts("control", "v")]) == (BEFORE,)
