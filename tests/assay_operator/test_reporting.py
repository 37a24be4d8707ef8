"""What the status shows of every metric and arm: effect, lift, their sequences, and corrected words."""

from typing import Any

import pytest
from decision_runs import experiment_facts, spec

from assay_api.experiment_status import Analysis
from assay_operator.decide.analysis import plan
from assay_operator.decide.reporting import analyses
from assay_stats import Moments

PRIMARY = {"name": "m"}
ERRORS = {"name": "errors", "margin": {"absolute": 0.02}}
KEPT = {"name": "kept", "source": "Events", "direction": "Increase", "margin": {"absolute": 0.05}}


def lines(
    metrics: dict[str, Any], counts: dict[str, list[Moments]], weights: tuple[int, ...]
) -> list[Analysis]:
    experiment = spec(metrics, weights)
    return list(analyses(experiment, plan(experiment), experiment_facts(experiment, counts).readings))


def rates(n: int, *parts: float) -> list[Moments]:
    return [Moments.proportion(n, round(n * part)) for part in parts]


def test_every_metric_of_every_arm_has_the_lift_and_both_sequences() -> None:
    metrics = {"primary": PRIMARY, "guardrails": [ERRORS, KEPT], "secondary": [{"name": "viewed"}]}
    counts = {
        "m": rates(4000, 0.3, 0.36, 0.3),
        "errors": rates(4000, 0.02, 0.02, 0.03),
        "kept": rates(4000, 0.9, 0.8, 0.9),
        "viewed": rates(4000, 0.5, 0.5, 0.6),
    }
    found = lines(metrics, counts, (34, 33, 33))
    assert len(found) == 8
    for line in found:
        assert None not in (line.estimate, line.low, line.high, line.lift, line.lift_low, line.lift_high)
        assert line.low < line.estimate < line.high  # type: ignore[operator]
        assert line.lift_low < line.lift < line.lift_high  # type: ignore[operator]
        assert line.lift == pytest.approx(line.estimate / line.control, abs=1e-8)  # type: ignore[operator]


def test_a_guardrail_that_should_rise_has_its_bounds_the_right_way_round() -> None:
    line = lines({"guardrails": [KEPT]}, {"kept": rates(4000, 0.9, 0.8)}, (50, 50))[0]
    assert line.says == "harm shown"
    assert line.low == pytest.approx(-0.1, abs=0.05)
    assert line.high == pytest.approx(-0.1, abs=0.05)


def test_from_the_first_units_on_there_is_an_interval_and_it_is_wide() -> None:
    metrics = {"primary": PRIMARY, "guardrails": [ERRORS]}
    for line in lines(metrics, {"m": rates(3, 0, 1), "errors": rates(3, 0, 0)}, (50, 50)):
        assert line.low is not None
        assert line.high is not None
        assert line.low < 0 < line.high
        assert line.high > 0.3


def test_a_primary_is_called_better_only_after_holm() -> None:
    """The numbers that suffice for one candidate do not for the least of four."""
    one = lines({"primary": PRIMARY}, {"m": rates(2000, 0.3, 0.352)}, (50, 50))
    four = lines({"primary": PRIMARY}, {"m": rates(2000, 0.3, 0.352, 0.3, 0.3, 0.3)}, (20,) * 5)
    assert one[0].p_value == four[0].p_value
    assert (one[0].says, four[0].says) == ("better", "not decided yet")


@pytest.mark.parametrize(
    ("others", "says"),
    [
        pytest.param((), "better", id="one metric needs no correction"),
        pytest.param((0.3,) * 9, "better taken alone, not with e-BH over 10", id="the best of ten"),
        pytest.param((0.6,) * 9, "better with e-BH over 10", id="the weakest of ten that are shown"),
    ],
)
def test_secondary_metrics_are_corrected_for_their_number(others: tuple[float, ...], says: str) -> None:
    rest = {f"s{i}": rates(2000, 0.3, rate) for i, rate in enumerate(others)}
    counts = {"m": rates(2000, 0.3, 0.3), "s": rates(2000, 0.3, 0.355)} | rest
    metrics = {"primary": PRIMARY, "secondary": [{"name": name} for name in counts if name != "m"]}
    found = {line.metric: line.says for line in lines(metrics, counts, (50, 50))}
    assert found["s"] == says


def test_a_secondary_that_should_fall_is_worse_when_it_rises() -> None:
    metrics = {"primary": PRIMARY, "secondary": [{"name": "cost", "direction": "Decrease"}]}
    counts = {"m": rates(2000, 0.3, 0.3), "cost": rates(2000, 0.3, 0.5)}
    assert lines(metrics, counts, (50, 50))[1].says == "worse"
