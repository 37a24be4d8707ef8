"""One plan: the numbers of the status and of `assay plan`, whose baseline it is, and what is missing."""

from datetime import timedelta
from typing import Any

import pytest
from decision_runs import START, experiment_facts, spec

from assay_api import Experiment
from assay_api.evidence import Evidence
from assay_api.experiment_status import Baseline, ExperimentState, ExperimentStatus, Verdict
from assay_cli.plan_goal import PlanRequest
from assay_operator.decide.analysis import missing, plan
from assay_operator.decide.baseline import based, baseline, levels
from assay_operator.decide.forecast import forecast
from assay_operator.decide.verdict import decide
from assay_stats import Moments
from assay_stats.duration import plan as duration_plan

PLANNED = {"name": "m", "baseline": 0.2, "minimumEffect": {"relative": 0.1}}
RATES = Moments.proportion


@pytest.mark.parametrize("weights", [(50, 50), (95, 5), (60, 20, 20)])
@pytest.mark.parametrize("direction", ["Increase", "Decrease"])
def test_the_status_and_the_command_line_plan_the_same(weights: tuple[int, ...], direction: str) -> None:
    fixed = plan(spec({"primary": PLANNED | {"direction": direction}}, weights))
    goal = PlanRequest(
        kind="Proportion", base=0.2, effect=0.1, deviation=None, increase=direction == "Increase", known=True,
        alpha=0.05, power=0.8, names=tuple(fixed.units), weights=weights, coverages=(1.0,), max_days=1.0,
    ).goal  # fmt: skip
    size = duration_plan(goal).size
    assert (fixed.units["control"], fixed.units["one"]) == (size.control, size.treatment)
    assert fixed.effect == pytest.approx(0.02 if direction == "Increase" else -0.02)
    assert fixed.rules["m"].n_star == pytest.approx(size.total / 4)


def test_a_decrease_is_not_as_dear_as_an_increase() -> None:
    """A rate that falls varies less: the plan heeds the direction."""
    sizes = {
        direction: plan(spec({"primary": PLANNED | {"direction": direction}})).units["one"]
        for direction in ("Increase", "Decrease")
    }
    assert sizes["Decrease"] < sizes["Increase"]


def test_what_is_missing_and_when_it_is_there_at_the_rate_of_the_step() -> None:
    design = spec({"primary": PLANNED})
    fixed, half = plan(design), plan(design).units["one"] // 2
    now = experiment_facts(design, {"m": [RATES(half, half // 5)] * 2})
    found = forecast(design, fixed, now)
    assert found.missing == {arm: n - half for arm, n in fixed.units.items()}
    assert found.eta == START + timedelta(hours=4) or found.eta == START + timedelta(hours=4, minutes=-1)
    later = forecast(design, fixed, now, step_units=half)
    assert later.units_per_day == pytest.approx((found.units_per_day or 0) / 2, rel=0.01)
    done = forecast(design, fixed, experiment_facts(design, {"m": [RATES(2 * half + 9, half)] * 2}))
    assert (done.eta, set(done.missing.values())) == (None, {0})
    assert "they are there" in done.message


def test_without_a_baseline_nothing_is_planned_and_the_status_says_why() -> None:
    design = spec({"primary": {"name": "m", "minimumEffect": {"relative": 0.1}}})
    found = forecast(design, plan(design))
    assert found.units == {}
    assert "no baseline, and no earlier Experiment" in found.message


def ended(design: dict[str, Any], days: int, sums: dict[str, Moments], name: str = "before") -> Experiment:
    """An Experiment of the same Model that ended so many days before the start."""
    written = spec(design)
    evidence = Evidence(now=START, started_at=START, step_started_at=START)
    verdict = Verdict(
        verdict="Promote", reason="r", message="m", at=START - timedelta(days=days), evidence=evidence
    )
    status = ExperimentStatus(
        started_at=START - timedelta(days=days + 7),
        decision=verdict,
        state=ExperimentState(levels={arm: tuple(map(float, of)) for arm, of in sums.items()}),
    )
    return Experiment.model_validate(
        {"metadata": {"name": name, "namespace": "n", "uid": name}, "spec": written.model_dump(by_alias=True)}
    ).changed(status=status)


def running(metric: dict[str, Any], version: str = "churn-1") -> Experiment:
    design = spec({"primary": {"name": "m"} | metric}).model_dump(by_alias=True)
    design["arms"][0]["version"], design["arms"][1]["version"] = version, "churn-9"
    return Experiment.model_validate(
        {"metadata": {"name": "now", "namespace": "n", "uid": "now"}, "spec": design}
    )


BEFORE = {"primary": {"name": "m"}}
LEVELS = {"control": RATES(4000, 400), "one": RATES(4000, 480)}


def test_the_baseline_is_what_the_champion_had_when_it_won() -> None:
    older = ended(BEFORE, 30, {"one": RATES(4000, 100)}, "older")
    found = baseline(running({}), [ended(BEFORE, 2, LEVELS), older])
    assert found is not None
    assert (found.value, found.source, found.experiment, found.version, found.units) == (
        0.12, "History", "before", "churn-1", 4000,
    )  # fmt: skip
    assert found.began is not None
    assert found.began < (found.ended or START) < START, "data of before the Experiment only"


@pytest.mark.parametrize(
    ("metric", "version", "sums"),
    [
        pytest.param({}, "churn-7", LEVELS, id="the champion was in no arm"),
        pytest.param({"window": "1h"}, "churn-1", LEVELS, id="another window"),
        pytest.param({"aggregate": "Last"}, "churn-1", LEVELS, id="another aggregate"),
        pytest.param({"name": "n"}, "churn-1", LEVELS, id="another metric"),
        pytest.param({}, "churn-1", {"one": RATES(4000, 9)}, id="nine events"),
        pytest.param({}, "churn-1", {}, id="it ended before levels were kept"),
    ],
)
def test_what_was_measured_otherwise_or_hardly_is_no_baseline(
    metric: dict[str, Any], version: str, sums: dict[str, Moments]
) -> None:
    assert baseline(running(metric, version), [ended(BEFORE, 2, sums)]) is None


def test_the_baseline_of_the_spec_goes_first() -> None:
    found = baseline(running({"baseline": 0.3}), [ended(BEFORE, 2, LEVELS)])
    assert found is not None
    assert (found.value, found.source) == (0.3, "Spec")


def test_a_mean_learns_its_deviation_too() -> None:
    mean = {"primary": {"name": "m", "type": "Mean"}}
    amounts = Moments.of([1.0, 3.0] * 100)
    found = baseline(running({"type": "Mean"}), [ended(mean, 2, {"one": amounts})])
    assert found is not None
    assert found.value == 2.0
    assert found.deviation == pytest.approx(1.0, rel=0.01)
    fixed = plan(spec({"primary": mean["primary"] | {"minimumEffect": {"relative": 0.1}}}), known=found)
    assert fixed.units["one"] > 0


def test_a_learned_baseline_plans_what_the_same_one_in_the_spec_does() -> None:
    effect = {"name": "m", "minimumEffect": {"relative": 0.1}}
    known = Baseline(value=0.05, source="History", experiment="before", version="churn-1", units=4000)
    learned = plan(spec({"primary": effect}), known=known)
    written = plan(spec({"primary": effect | {"baseline": 0.05}}))
    assert (learned.rules, learned.units) == (written.rules, written.units)
    assert learned.baseline == known
    assert "that of churn-1 in before (n = 4,000)" in forecast(spec({"primary": effect}), learned).message


def test_a_learned_baseline_that_does_not_fit_the_effect_plans_nothing() -> None:
    (primary,) = spec({"primary": {"name": "m", "minimumEffect": {"absolute": 0.2}}}).metrics.every
    assert based(primary, Baseline(value=0.9, source="History")).baseline is None  # type: ignore[arg-type]


def test_levels_are_those_of_mature_units() -> None:
    design = spec({"primary": {"name": "m"}})
    found = experiment_facts(design, {"m": [RATES(900, 9)] * 2, "m.mature": [RATES(500, 8)] * 2})
    assert levels(found, plan(design)) == {arm: (500.0, 8.0, 8.0, 0.0) for arm in ("control", "one")}


@pytest.mark.parametrize("margin", [{"absolute": 0.02}, {"relative": 0.2}])
def test_a_hold_says_how_many_units_its_bound_waits_for(margin: dict[str, float]) -> None:
    """With as many more units and the same estimate it is decided; with nine tenths of them it is not."""
    design = spec({"guardrails": [{"name": "m", "source": "Gateway", "margin": margin}]})
    now = experiment_facts(design, {"m": [RATES(600, 60), RATES(600, 59)]})
    end = decide(now)
    more = missing(now, now.readings[0])
    assert more is not None
    assert end.kind == "Hold"
    assert f"about {more[0]:,} control + {more[1]:,} one units more at the present estimate" in end.message
    for part, verdict in ((1.05, "Promote"), (0.85, "Hold")):
        n = 600 + round(part * more[0])
        scaled = [RATES(n, round(n * 0.1)), RATES(n, round(n * 59 / 600))]
        assert decide(experiment_facts(design, {"m": scaled})).kind == verdict


def test_a_hold_says_that_no_number_of_units_would_do() -> None:
    design = spec({"guardrails": [{"name": "m", "source": "Gateway", "margin": {"absolute": 0.02}}]})
    end = decide(experiment_facts(design, {"m": [RATES(600, 60), RATES(600, 75)]}))
    assert "no number of units would show it" in end.message


def test_a_primary_says_how_many_units_are_missing() -> None:
    now = experiment_facts(spec({"primary": {"name": "m"}}), {"m": [RATES(600, 60), RATES(600, 75)]})
    more = missing(now, now.readings[0])
    assert more is not None
    n = 600 + round(1.05 * more[0])
    end = decide(experiment_facts(now.spec, {"m": [RATES(n, round(n * 0.1)), RATES(n, round(n * 0.125))]}))
    assert end.kind == "Promote"
