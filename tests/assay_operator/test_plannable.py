"""What the rules accept can be planned and analysed; what cannot is a matter of that Experiment alone."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from operated import CHURN, GUARD, World, two_versions
from pydantic import ValidationError

from assay_api import ExperimentSpec
from assay_operator.decide import analysis, start
from assay_operator.decide.experiment_facts import ArmCounts
from assay_stats import Moments

RATE = st.sampled_from([0.0, 1.0, 0.5, 0.1, 20.0, 1e-6, 1 - 1e-6]) | st.floats(0, 1) | st.floats(-1e12, 1e12)
SIZE = st.one_of(
    *(
        st.fixed_dictionaries({kind: st.sampled_from([1e-9, 1e-6, 0.01, 1.0, 10.0]) | st.floats(1e-9, 10)})
        for kind in ("absolute", "relative")
    )
)
SOURCES: dict[str, Any] = {
    "Events": {},
    "Gateway": {"direction": "Decrease"},
    "Prometheus": {"prometheus": {"count": "a", "sum": "b", "sumOfSquares": "c"}},
    "SQL": {"sql": {"urlSecretRef": {"name": "w"}, "query": "q"}},
}


@st.composite
def metrics(draw: st.DrawFn, name: str, size: str = "") -> dict[str, Any]:
    """A metric whose numbers are of any kind; most of them are refused."""
    source = draw(st.sampled_from(list(SOURCES)))
    numbers = {
        "baseline": RATE,
        "deviation": st.sampled_from([1e-9, 1.0, 1e12]) | st.floats(1e-9, 1e12),
        "direction": st.sampled_from(["Increase", "Decrease"]),
        "missing": st.sampled_from(["Zero", "Ignore"]),
        "type": st.sampled_from(["Proportion", "Mean"]),
    }
    sized = {size: SIZE} if size == "margin" else {}
    optional = numbers | ({size: SIZE} if size and not sized else {})
    return {
        "name": name,
        "source": source,
        **draw(st.fixed_dictionaries(sized, optional=optional)),
        **SOURCES[source],
    }


@st.composite
def specs(draw: st.DrawFn) -> ExperimentSpec:
    weights = draw(st.sampled_from([(50, 50), (95, 5), (1, 99), (99, 1), (34, 33, 33), (10,) * 10]))
    decision = {
        "alpha": draw(st.sampled_from([0.0001, 0.05, 0.5, 0.4999999999]) | st.floats(0.0001, 0.5)),
        "power": draw(st.floats(0.5, 0.999)),
    }
    few = range(draw(st.integers(0, 2)))
    chosen: dict[str, Any] = {"guardrails": [draw(metrics(f"g{i}", "margin")) for i in few]}
    if draw(st.booleans()) or not chosen["guardrails"]:
        chosen["primary"] = draw(metrics("p", "minimumEffect"))
    arms = [{"name": f"a{i}", "version": f"v{i}", "weight": w} for i, w in enumerate(weights)]
    whole = {"modelRef": {"name": "m"}, "arms": arms, "ramp": [{"percent": 1}]}
    try:
        return ExperimentSpec.model_validate(whole | {"metrics": chosen, "decision": decision})
    except ValidationError:
        reject()


@st.composite
def counts(draw: st.DrawFn, spec: ExperimentSpec) -> tuple[ArmCounts, ...]:
    def sums(kind: str, n: int) -> Moments:
        if kind == "Proportion":
            return Moments.proportion(n, draw(st.integers(0, n)))
        return Moments(
            n, 0.0, draw(st.just(0.0) | st.floats(1e-9, 1e12)) * (n > 1), draw(st.floats(-1e9, 1e9)) * (n > 0)
        )

    units = {arm.name: draw(st.integers(0, 10**6)) for arm in spec.arms}
    return tuple(
        ArmCounts(
            a.name,
            a.version,
            units[a.name],
            {m.name: sums(m.type, units[a.name]) for m in spec.metrics.every},
        )
        for a in spec.arms
    )


@given(st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_the_rules_accept_can_be_planned_and_analysed(data: st.DataObject) -> None:
    spec = data.draw(specs())
    plan = analysis.plan(spec)
    assert plan.units_per_arm is None or 0 < plan.units_per_arm < 2**63, "an integer that a status can hold"
    for reading in analysis.readings(spec, plan, data.draw(counts(spec)), ()):
        if reading.harm and reading.non_inferiority:
            assert not (reading.harm.breached and reading.non_inferiority.passed)


async def running(world: World) -> None:
    await two_versions(world)
    world.answers("churn-2")
    await world.settle()
    world.counted("churn-2-g2", (500, 100), (500, 110))
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Running"


async def test_an_experiment_that_cannot_be_planned_is_no_matter_of_its_model(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> None:
        raise ValueError("base_rate: 1.0 is not between 0 and 1")

    monkeypatch.setattr(start, "plan", refuses)
    await two_versions(world)
    world.answers("churn-2")
    await world.settle()
    status = world.status("Experiment", "churn-2-g2")
    assert status["phase"] == "Invalid"
    assert world.condition("Experiment", "churn-2-g2", "Progressing") == ("False", "InvalidSpec")
    assert world.condition("Model", "churn", "Ready") == ("True", "Serving")
    assert world.condition("Model", "churn", "Stalled")[0] == "False"


async def test_an_experiment_that_another_release_wrote_is_held_and_its_model_goes_on(world: World) -> None:
    """A rate in percent, as rules of before have let through: it keeps its split, and decides nothing."""
    await running(world)
    body = world.cluster.bodies["Experiment", "churn-2-g2"]
    route, primary = world.gateways.routes[CHURN], body["spec"]["metrics"]["primary"]
    world.put("Experiment", "churn-2-g2", spec={"metrics": GUARD | {"primary": primary | {"baseline": 20}}})
    world.restart()
    await world.settle()
    assert world.condition("Experiment", "churn-2-g2", "Stalled") == ("True", "InvalidSpec")
    assert world.condition("Model", "churn", "Stalled")[0] == "False"
    assert world.gateways.routes[CHURN] == route
    world.counted("churn-2-g2", (5000, 1000), (5000, 3000))
    await world.settle()
    assert "decision" not in world.status("Experiment", "churn-2-g2")
    world.put("Experiment", "churn-2-g2", metadata={"annotations": {"assay.dev/abort": "made anew"}})
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"


async def test_slow_answers_that_cannot_come_are_told_before_the_start(world: World) -> None:
    await two_versions(world)
    world.cluster.bodies.pop(("Experiment", "churn-2-g2"))
    world.restart()
    world.answers("churn-2")
    arms = [{"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "b"), 1)]
    slow = {"name": "slow", "slowerThan": "31s", "margin": {"absolute": 0.02}}
    world.put(
        "Experiment",
        "mine",
        spec={"modelRef": {"name": "churn"}, "arms": arms, "metrics": {"guardrails": [slow]}},
    )
    await world.settle()
    assert world.status("Experiment", "mine")["phase"] == "Invalid"
    (progress,) = [c for c in world.status("Experiment", "mine")["conditions"] if c["type"] == "Progressing"]
    assert "slowerThan is 31s, but the Model's serving.timeout ends requests after 30s" in progress["message"]
