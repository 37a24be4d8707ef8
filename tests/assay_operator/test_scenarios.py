"""The acceptance scenarios of data, by their names, through the whole reconciler."""

from datetime import timedelta
from typing import Any

from operated import CHURN, GUARD, ROLLOUT, World, merged, two_versions

from assay_operator.telemetry import ArmSummary, Summary
from assay_stats import Moments

MINE = "churn-2-g2"


async def running(world: World, **experiment: Any) -> None:
    """An Experiment at its last step."""
    usual = {"ramp": [{"percent": 50}], "decision": {"minDuration": "10s", "maxDuration": "1h"}}
    await two_versions(world, rollout=merged(ROLLOUT, {"experiment": usual | experiment}))
    world.answers("churn-2")
    await world.settle()
    world.moment += timedelta(minutes=1)


def holds(world: World) -> str:
    assert world.status("Experiment", MINE)["phase"] == "Running"
    assert [slots["to"] for slots in world.status("Experiment", MINE)["state"]["table"]] == [5000, 10_000]
    return world.condition("Experiment", MINE, "Progressing")[1]


async def test_scenario_8_no_data_is_not_a_failure(world: World) -> None:
    await running(world)
    await world.settle()
    assert holds(world) == "NoData"
    world.outcomes.fault = "connection refused"
    await world.settle()
    assert holds(world) == "CollectorUnreachable"
    world.outcomes.fault = ""
    world.counted(MINE, (5000, 4000), (5000, 4010))
    world.moment += timedelta(minutes=10)
    await world.settle()
    assert holds(world) == "StaleData"
    world.counted(MINE, (5000, 4000), (5000, 4400))
    await world.settle()
    assert world.status("Experiment", MINE)["phase"] == "Promoted", "it resumes when data returns"


async def test_scenario_8_after_the_deadline_the_control_stays(world: World) -> None:
    await running(world)
    world.moment += timedelta(hours=1)
    await world.settle()
    decision = world.status("Experiment", MINE)["decision"]
    assert (decision["verdict"], decision["reason"], decision.get("winner")) == (
        "Conclude",
        "NoDataInTime",
        None,
    )
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def test_scenario_9_inconclusive_is_an_answer(world: World) -> None:
    await running(world)
    world.moment += timedelta(hours=1)
    world.counted(MINE, (5000, 4000), (5000, 4010))
    for _ in range(3):
        await world.settle()
    assert world.status("Experiment", MINE)["phase"] == "Inconclusive"
    events = [e for e in world.cluster.events.values() if e["reason"] == "OutOfTime"]
    assert len([e for e in events if e["involvedObject"]["kind"] == "Experiment"]) == 1, "it does not loop"


async def test_scenario_11_a_new_version_in_the_middle_starts_over(world: World) -> None:
    await running(world)
    world.counted(MINE, (5000, 4000), (5000, 4100))
    await world.settle()
    old = world.status("Experiment", MINE)
    rollout = world.cluster.bodies["Model", "churn"]["spec"]["rollout"]
    world.apply_model(3, image={"image": "three"}, rollout=rollout)
    await world.settle()
    assert world.status("Experiment", MINE)["phase"] == "Aborted"
    assert world.gateways.routes[CHURN].split is None, "nobody sees the old candidate"
    world.answers("churn-3")
    await world.settle()
    new = world.status("Experiment", "churn-3-g3")
    assert new["state"]["salt"] != old["state"]["salt"]
    assert [arm["units"] for arm in new["arms"]] == [0, 0]
    assert new["analysis"] == [] or {line["units"] for line in new["analysis"]} == {0}


async def test_scenario_15_a_dry_run_metric_only_reports(world: World) -> None:
    slow = {"name": "slow", "source": "Gateway", "slowerThan": "1ms", "direction": "Decrease"}
    primary = {"primary": {"name": "right", "missing": "Ignore"}}
    await running(world, metrics=primary | GUARD | {"secondary": [slow]})
    world.counted(MINE, (5000, 4000), (5000, 4400))
    arms = dict(world.outcomes.answers[uid(world)].arms)
    for name, count in (("control", 50), ("candidate", 4900)):
        bad = {**arms[name].moments, "slow": Moments.proportion(5000, count)}
        arms[name] = ArmSummary(5000, 5000, bad)
    world.outcomes.answers[uid(world)] = Summary(arms, last_ingest=world.moment)
    await world.settle()
    assert world.status("Experiment", MINE)["phase"] == "Promoted"
    (line,) = [a for a in world.status("Experiment", MINE)["analysis"] if a["metric"] == "slow"]
    assert (line["role"], line["says"]) == ("Secondary", "worse")


async def test_scenario_17_a_broken_split_is_noticed_and_blocks_every_verdict(world: World) -> None:
    await running(world)
    world.counted(MINE, (1888, 1500), (1112, 1112))
    await world.settle()
    decision = world.status("Experiment", MINE)["decision"]
    assert (decision["verdict"], decision["reason"]) == ("Invalidate", "SampleRatioMismatch")
    assert world.status("Model", "churn")["champion"] == "churn-1"
    assert world.gateways.routes[CHURN].split is None


def uid(world: World) -> str:
    return str(world.cluster.bodies["Experiment", MINE]["metadata"]["uid"])
