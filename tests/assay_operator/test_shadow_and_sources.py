"""Shadows, approval and metrics of other sources, through the whole reconciler."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from operated import CHURN, GUARD, ROLLOUT, World, merged, two_versions

from assay_api.names import APPROVE
from assay_operator.telemetry import Sample
from assay_stats import Moments

QUERY = {"count": "units_total", "sum": "orders_total"}
QUERIED = {"name": "orders", "source": "Prometheus", "prometheus": QUERY}


async def beside(world: World, **spec: Any) -> None:
    """A champion, a second version that is ready, and an Experiment of our own making."""
    await two_versions(world)
    world.cluster.bodies.pop(("Experiment", "churn-2-g2"))
    world.restart()
    world.answers("churn-2")
    arms = [
        {"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "candidate"), 1)
    ]
    usual = {
        "modelRef": {"name": "churn"},
        "arms": arms,
        "decision": {"minDuration": "10s", "maxDuration": "1h"},
    }
    world.put("Experiment", "mine", spec=usual | spec)
    await world.settle()


def reason(world: World) -> str:
    return world.condition("Experiment", "mine", "Progressing")[1]


async def test_a_shadow_sees_requests_step_by_step_and_splits_nobody(world: World) -> None:
    ramp = [{"percent": 10, "minDuration": "1m"}, {"percent": 80}]
    await beside(world, mode="Shadow", ramp=ramp)
    route = world.gateways.routes[CHURN]
    assert route.split is None
    assert route.shadow is not None
    assert (route.shadow.backend.version, route.shadow.percent) == ("churn-2", 10)
    assert world.outcomes.definitions.keys().isdisjoint(
        {world.cluster.bodies["Experiment", "mine"]["metadata"]["uid"]}
    )
    world.moment += timedelta(minutes=2)
    await world.settle()
    shadow = world.gateways.routes[CHURN].shadow
    assert shadow is not None
    assert shadow.percent == 80
    world.moment += timedelta(hours=1)
    await world.settle()
    assert world.status("Experiment", "mine")["decision"]["reason"] == "ShadowOver"
    assert world.gateways.routes[CHURN].shadow is None
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def test_a_shadow_needs_no_collector(world: World) -> None:
    world.outcomes.fault = "connection refused"
    await beside(world, mode="Shadow", ramp=[{"percent": 10}])
    assert world.status("Experiment", "mine")["phase"] == "Running"


async def test_a_source_that_fails_holds_says_why_and_resumes(world: World) -> None:
    await beside(world, metrics={"primary": QUERIED, **GUARD}, ramp=[{"percent": 50}])
    uid = world.cluster.bodies["Experiment", "mine"]["metadata"]["uid"]
    assert [m["name"] for m in world.outcomes.definitions[uid]["metrics"]] == ["errors", "assay.settled"]
    world.moment += timedelta(minutes=1)
    world.counted("mine", (5000, 0), (5000, 0))
    await world.settle()
    assert reason(world) == "NoData"
    world.sources.answers["orders"] = Sample({}, "MetricUnavailable", "Prometheus says 502")
    await world.settle()
    assert reason(world) == "MetricUnavailable"
    world.restart()
    sums = {"control": Moments.proportion(5000, 500), "candidate": Moments.proportion(5000, 900)}
    world.sources.answers["orders"] = Sample(sums, "", "")
    await world.settle()
    assert world.status("Experiment", "mine")["decision"]["reason"] == "CandidateWins"


async def test_a_source_that_counts_anew_is_held_until_it_is_where_it_was_whatever_restarts(
    world: World,
) -> None:
    """What the operator had counted is in the status, so that its own restart does not hide the source's."""

    def answer(units: int, orders: tuple[int, int]) -> None:
        sums = zip(("control", "candidate"), orders, strict=True)
        world.sources.answers["orders"] = Sample({a: Moments.proportion(units, n) for a, n in sums}, "", "")

    await beside(world, metrics={"primary": QUERIED, **GUARD}, ramp=[{"percent": 50}])
    world.moment += timedelta(minutes=1)
    world.counted("mine", (5000, 0), (5000, 0))
    answer(2000, (200, 210))
    await world.settle()
    assert reason(world) == "Running"
    answer(1000, (100, 400))
    world.restart()
    await world.settle()
    assert reason(world) == "SourceReset"
    checks = world.status("Experiment", "mine")["checks"]
    assert checks["sources"].startswith("orders: SourceReset, arm control has 1000 units and had 2000 before")
    assert "decision" not in world.status("Experiment", "mine")
    answer(2500, (199, 600))
    await world.settle()
    assert reason(world) == "SourceReset", "fewer events than before, of a counter"
    answer(2500, (250, 600))
    await world.settle()
    assert world.status("Experiment", "mine")["decision"]["reason"] == "CandidateWins"


async def test_a_metric_that_nobody_reports_on_says_so(world: World) -> None:
    complaints = {
        "name": "complaints",
        "source": "Events",
        "direction": "Decrease",
        "margin": {"absolute": 0.1},
    }
    guards = {"guardrails": [*GUARD["guardrails"], complaints]}
    await beside(world, metrics=guards, ramp=[{"percent": 50}], decision={"minDuration": "1h"})
    world.moment += timedelta(minutes=1)
    world.counted("mine", (50, 0), (50, 0))
    await world.settle()
    sources = world.status("Experiment", "mine")["checks"]["sources"]
    assert sources == "complaints: no outcome has come under this name yet; check what callers report"


async def test_names_in_outcomes_that_nobody_declared_are_in_the_status(world: World) -> None:
    await beside(world, metrics=GUARD, ramp=[{"percent": 50}], decision={"minDuration": "1h"})
    world.moment += timedelta(minutes=1)
    world.counted("mine", (50, 0), (50, 0))
    uid = world.cluster.bodies["Experiment", "mine"]["metadata"]["uid"]
    answer = world.outcomes.answers[uid]
    world.outcomes.answers[uid] = replace(answer, unknown_metrics=("complaint", "retaind"))
    await world.settle()
    assert world.status("Experiment", "mine")["checks"]["unknownMetrics"] == ["complaint", "retaind"]
    assert reason(world) == "Running", "it decides nothing"


async def test_a_win_waits_for_a_person_and_is_promoted_once(world: World) -> None:
    change = {"experiment": {"decision": {"approval": "Manual"}}}
    await two_versions(world, rollout=merged(ROLLOUT, change))
    world.answers("churn-2")
    await world.settle()
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "WaitingForApproval"
    assert world.status("Model", "churn")["champion"] == "churn-1"
    world.put("Experiment", "churn-2-g2", metadata={"annotations": {APPROVE: "ada"}})
    for _ in range(2):
        await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Promoted"
    assert [entry["version"] for entry in world.status("Model", "churn")["history"]] == ["churn-2", "churn-1"]
