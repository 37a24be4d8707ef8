"""An A/A test that found a difference is an alarm, and no A/B test starts before a person's word."""

from datetime import timedelta
from typing import Any

from operated import CHURN, GUARD, World, two_versions
from prometheus_client import REGISTRY

from assay_api.names import ACKNOWLEDGE
from assay_operator.telemetry import metrics

RIGHT = {"primary": {"name": "right", "missing": "Ignore"}} | GUARD


async def a_model(world: World) -> None:
    await two_versions(world)
    world.cluster.bodies.pop(("Experiment", "churn-2-g2"))
    world.restart()
    world.answers("churn-2")


def experiment(world: World, name: str, mode: str, candidate: str) -> None:
    versions = {"control": "churn-1", "candidate": candidate}
    spec: dict[str, Any] = {
        "modelRef": {"name": "churn"},
        "mode": mode,
        "arms": [{"name": name, "version": version, "weight": 50} for name, version in versions.items()],
        "ramp": [{"percent": 50}],
        "metrics": RIGHT,
        "decision": {"minDuration": "10s", "maxDuration": "1h"},
    }
    world.put("Experiment", name, spec=spec)


async def an_aa_test_differs(world: World, name: str = "aa") -> None:
    experiment(world, name, "AA", "churn-1")
    await world.settle()
    world.moment += timedelta(minutes=1)
    world.counted(name, (5000, 4000), (5000, 4400))
    await world.settle()
    assert world.status("Experiment", name)["decision"]["reason"] == "AADiffers"


def alarms(name: str = "aa") -> float | None:
    return REGISTRY.get_sample_value(
        "assay_experiment_aa_differs", {"namespace": CHURN.namespace, "experiment": name}
    )


async def test_the_next_ab_test_waits_for_a_persons_word(world: World) -> None:
    await a_model(world)
    await an_aa_test_differs(world)
    assert world.condition("Experiment", "aa", "Degraded") == ("True", "AADiffers")
    metrics.aa_differs.clear()
    world.restart()
    await world.settle()
    assert alarms() == 1, "another operator alarms, too"
    experiment(world, "ab", "AB", "churn-2")
    await world.settle()
    assert world.condition("Experiment", "ab", "Progressing")[1] == "AAUnacknowledged"
    assert "startedAt" not in world.status("Experiment", "ab")
    world.restart()
    world.put("Experiment", "aa", metadata={"annotations": {ACKNOWLEDGE: "a cache"}})
    await world.settle()
    assert alarms() == 0
    assert world.condition("Experiment", "aa", "Acknowledged") == ("True", "Acknowledged")
    assert world.condition("Experiment", "aa", "Closed")[0] == "True"
    assert world.status("Experiment", "ab")["phase"] == "Running"
    writes = world.cluster.writes
    await world.settle()
    assert world.cluster.writes == writes, "the word is written once"


async def test_another_aa_test_may_start_and_clears_it(world: World) -> None:
    await a_model(world)
    await an_aa_test_differs(world)
    experiment(world, "again", "AA", "churn-1")
    await world.settle()
    world.moment += timedelta(hours=1)
    world.counted("again", (5000, 4000), (5000, 4010))
    await world.settle()
    assert world.status("Experiment", "again")["decision"]["reason"] == "AAEqual"
    experiment(world, "ab", "AB", "churn-2")
    await world.settle()
    assert world.status("Experiment", "ab")["phase"] == "Running"
