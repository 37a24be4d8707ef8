"""A training that failed for what may pass is tried again: after a pause, one Job at a time, not for ever."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from operated import CHURN as REF
from operated import DATA, REPORT, Killed, World

from assay_operator.plan.version import FIRST_PAUSE, MAX_RETRIES

JOB = ("Job", "churn-1-train")
AWAY = {"ok": False, "reason": "DataUnreadable", "message": "the lake does not answer", "passing": True}
FINAL = {"ok": False, "reason": "ColumnMissing", "message": "no column age"}
TRAINING = {"data": DATA, "tuning": {"trials": 10}}


async def training() -> World:
    world = World()
    world.apply_model(1, training=TRAINING)
    await world.settle()
    assert JOB in world.cluster.bodies
    return world


def ended(world: World, report: dict[str, Any]) -> None:
    """Let the present Job end with these words of a pod that it owns."""
    uid = world.cluster.bodies[JOB]["metadata"]["uid"]
    labels = {"assay.dev/model": "churn", "assay.dev/version": "churn-1", "assay.dev/role": "trainer"}
    owner = {"kind": "Job", "name": JOB[1], "uid": uid, "controller": True}
    end = {"name": "trainer", "state": {"terminated": {"exitCode": 1, "message": json.dumps(report)}}}
    metadata = {"labels": labels, "ownerReferences": [owner]}
    world.put("Pod", f"pod-of-{uid}", metadata=metadata, status={"containerStatuses": [end]})
    kind = "Complete" if report["ok"] else "Failed"
    world.put("Job", JOB[1], status={"conditions": [{"type": kind, "status": "True"}]})


async def noticed(world: World) -> None:
    """Settle, with the watches telling what was deleted meanwhile."""
    await world.settle()
    world.restart()
    await world.settle()


async def failed(world: World, report: dict[str, Any]) -> None:
    ended(world, report)
    await noticed(world)


async def waited(world: World) -> None:
    """Let the time pass until the scheduled moment."""
    world.moment = due(world)
    await noticed(world)


def due(world: World) -> datetime:
    at = state(world)["retryAt"]
    return at if isinstance(at, datetime) else datetime.fromisoformat(at)


def state(world: World) -> dict[str, Any]:
    return dict(world.status("ModelVersion", "churn-1")["state"])


def message(world: World) -> str:
    conditions = world.status("ModelVersion", "churn-1")["conditions"]
    return str(next(c["message"] for c in conditions if c["type"] == "Ready"))


def conditions(world: World, kind: str = "ModelVersion", name: str = "churn-1") -> dict[str, tuple[str, str]]:
    found = world.status(kind, name)["conditions"]
    return {c["type"]: (c["status"], c["reason"]) for c in found}


async def test_a_failure_that_may_pass_is_tried_again_after_a_pause() -> None:
    world = await training()
    first = world.cluster.bodies[JOB]["metadata"]["uid"]
    await failed(world, AWAY)
    assert JOB not in world.cluster.bodies
    now = conditions(world)
    assert now["Ready"] == ("Unknown", "RetryScheduled")
    assert now["Progressing"] == now["Reconciling"] == ("True", "RetryScheduled")
    assert now["Stalled"][0] == now["Degraded"][0] == "False"
    assert "DataValid" not in now
    assert conditions(world, "Model", "churn")["Progressing"] == ("True", "RetryScheduled")
    assert "the lake does not answer; tried again at 00:00:05 UTC (1 of 6)" in message(world)

    world.moment = due(world) - timedelta(seconds=1)
    await noticed(world)
    assert JOB not in world.cluster.bodies
    await waited(world)
    assert world.cluster.bodies[JOB]["metadata"]["uid"] != first
    assert conditions(world)["Ready"] == ("Unknown", "Training")
    assert "retryAt" not in state(world)
    await failed(world, REPORT)
    assert conditions(world)["Ready"] == ("True", "GatesPassed")


async def test_the_operator_asks_to_be_called_when_the_pause_is_over() -> None:
    world = await training()
    ended(world, AWAY)
    assert await world.reconcile(REF) == 0.0
    world.restart()
    assert await world.reconcile(REF) == FIRST_PAUSE.total_seconds()
    world.moment += timedelta(seconds=2)
    assert await world.reconcile(REF) == FIRST_PAUSE.total_seconds() - 2


async def test_pauses_double_and_after_the_last_one_it_is_given_up() -> None:
    world, pauses = await training(), []
    for _ in range(MAX_RETRIES):
        await failed(world, AWAY)
        pauses.append((due(world) - world.moment).total_seconds())
        await waited(world)
        assert JOB in world.cluster.bodies
    assert pauses == [5, 10, 20, 40, 80, 160]
    await failed(world, AWAY)
    now = conditions(world)
    assert now["Ready"] == ("False", "RetriesExhausted")
    assert now["Degraded"] == now["Stalled"] == ("True", "RetriesExhausted")
    assert now["Progressing"][0] == "False"
    assert conditions(world, "Model", "churn")["Degraded"] == ("True", "RetriesExhausted")
    assert f"tried {MAX_RETRIES + 1} times" in message(world)
    world.moment += timedelta(days=1)
    before = world.cluster.version
    await noticed(world)
    assert (world.cluster.version, JOB in world.cluster.bodies) == (before, True)


async def exhausted() -> World:
    world = await training()
    for _ in range(MAX_RETRIES):
        await failed(world, AWAY)
        await waited(world)
    await failed(world, AWAY)
    assert conditions(world)["Ready"] == ("False", "RetriesExhausted")
    return world


@pytest.mark.parametrize("by", ["edit", "retrain"])
async def test_an_edit_or_a_retrain_begins_anew(by: str) -> None:
    world = await exhausted()
    if by == "edit":
        world.apply_model(2, training=TRAINING | {"tuning": {"trials": 20}})
    else:
        world.put("Model", "churn", metadata={"annotations": {"assay.dev/retrain": "churn-1"}})
    await noticed(world)
    assert ("Job", "churn-2-train") in world.cluster.bodies
    assert world.status("ModelVersion", "churn-2")["state"].get("retries", 0) == 0
    assert world.condition("ModelVersion", "churn-2", "Ready") == ("Unknown", "Training")


async def test_a_failure_that_does_not_pass_is_final_at_once() -> None:
    world = await training()
    await failed(world, FINAL)
    assert conditions(world)["Ready"] == ("False", "ColumnMissing")
    assert JOB in world.cluster.bodies


async def test_a_final_failure_after_a_passing_one_is_final_though_the_first_pod_is_there_still() -> None:
    world = await training()
    await failed(world, AWAY)
    await waited(world)
    pods = [name for kind, name in world.cluster.bodies if kind == "Pod"]
    assert len(pods) == 1
    await failed(world, FINAL)
    assert conditions(world)["Ready"] == ("False", "ColumnMissing")


async def test_a_version_that_nobody_waits_for_is_not_tried_again_until_somebody_does() -> None:
    world = await training()
    await failed(world, AWAY)
    world.apply_model(2, training=TRAINING | {"tuning": {"trials": 20}})
    await noticed(world)
    world.moment += timedelta(hours=1)
    await noticed(world)
    assert JOB not in world.cluster.bodies
    assert conditions(world)["Ready"] == ("False", "Superseded")
    world.apply_model(3, training=TRAINING)
    await noticed(world)
    assert JOB in world.cluster.bodies
    assert conditions(world)["Ready"] == ("Unknown", "Training")


Story = Callable[[World], Awaitable[None]]


async def story(world: World) -> None:
    """It fails twice for what passes, and then succeeds; each part is told once, however often it is read."""
    for retries in (1, 2):
        if state(world).get("retries", 0) < retries:
            if not state(world).get("retryAt"):
                ended(world, AWAY)
            await noticed(world)
        if state(world).get("retryAt"):
            await waited(world)
        await noticed(world)
    ended(world, REPORT)
    await noticed(world)


def watched(world: World, born: list[str]) -> None:
    """Note every Job that begins, and see to it that none begins while another runs."""
    keep = world.cluster._keep

    def kept(body: Any) -> Any:
        known = world.cluster.bodies.get(JOB)
        made = keep(body)
        if body["kind"] == "Job" and known is None:
            born.append(made["metadata"]["uid"])
        return made

    world.cluster._keep = kept  # type: ignore[method-assign]


@pytest.mark.parametrize("restart", [True, False], ids=["killed", "cancelled"])
async def test_a_death_after_any_effect_trains_as_often_and_counts_as_well(*, restart: bool) -> None:
    world, born = await training(), list[str]()
    watched(world, born)
    before = world.fuse.burnt
    await story(world)
    effects = world.fuse.burnt - before
    assert (len(born), state(world)["retries"]) == (2, 2)
    assert effects > 8
    for after in range(1, effects + 1):
        world, again = await training(), list[str]()
        watched(world, again)
        world.fuse.left = after
        for _ in range(3):
            try:
                await story(world)
                break
            except (Killed, asyncio.CancelledError):
                if restart:
                    world.restart()
                world.watch()
        assert conditions(world)["Ready"] == ("True", "GatesPassed"), f"after effect {after}"
        assert (again, state(world)["retries"]) == (born, 2), f"after effect {after} of {effects}"
