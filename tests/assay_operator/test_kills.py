"""The operator dies after any one of its effects on the world; the next one comes to the same end."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from operated import CHURN, DATA, Killed, World, two_versions
from prometheus_client import REGISTRY

VERDICTS = {"CandidateWins", "PrimaryWorse", "Aborted"}  # other news may be lost, never told twice
BEGIN = World().moment
Story = Callable[[World], Awaitable[None]]


async def promoted(world: World) -> None:
    """The candidate wins, replaces the champion, and the old one is scaled down after its window."""
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    world.moment = BEGIN + timedelta(minutes=3)
    await world.settle()


async def rolled_back(world: World) -> None:
    """The candidate is shown to be worse; everybody is on the champion."""
    world.counted("churn-2-g2", (5000, 4400), (5000, 4000))
    await world.settle()


async def aborted(world: World) -> None:
    """The spec asks for a third version in the middle."""
    world.apply_model(3, image={"image": "three"})
    await world.settle()
    world.answers("churn-3")
    await world.settle()


async def started(world: World) -> None:
    """The Experiment starts and widens."""
    world.answers("churn-2")
    await world.settle()
    world.moment = BEGIN + timedelta(seconds=20)
    world.counted("churn-2-g2", (900, 700), (900, 701))
    await world.settle()


async def superseded(world: World) -> None:
    """The spec asks for another version while one is trained; the Job of the first is ended."""
    world.apply_model(3, training={"data": DATA, "tuning": {"trials": 20}})
    await world.settle()
    world.restart()  # watches tell what was deleted
    await world.settle()


async def training() -> World:
    """A champion, and a second version in training."""
    world = World()
    world.apply_model(1, image={"image": "one"})
    await world.settle()
    world.answers("churn-1")
    await world.settle()
    world.apply_model(2, training={"data": DATA, "tuning": {"trials": 10}})
    await world.settle()
    return world


async def running() -> World:
    """An Experiment in its last step, with a collector that has nothing to say yet."""
    world = World()
    await two_versions(world)
    world.answers("churn-2")
    await world.settle()
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (300, 200), (300, 201))
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["step"] == 1
    return world


async def waiting() -> World:
    """An Experiment that waits for its candidate's pods."""
    world = World()
    await two_versions(world)
    return world


STORIES = {
    "start": (waiting, started),
    "promote": (running, promoted),
    "roll back": (running, rolled_back),
    "abort": (running, aborted),
    "supersede": (training, superseded),
}


def picture(world: World) -> Any:
    """What matters of the world: who is there, who serves, what was decided and told."""
    experiments = {n: b["status"] for (k, n), b in world.cluster.bodies.items() if k == "Experiment"}
    model = world.status("Model", "churn")
    return {
        "objects": sorted(world.cluster.bodies),
        "replicas": {
            n: b["spec"]["replicas"] for (k, n), b in world.cluster.bodies.items() if k == "Deployment"
        },
        "trainings": {
            n: next(c["reason"] for c in b["status"]["conditions"] if c["type"] == "Ready")
            for (k, n), b in world.cluster.bodies.items()
            if k == "ModelVersion"
        },
        "champion": model["champion"],
        "history": [(record["version"], record["reason"]) for record in model["history"]],
        "decided": {
            name: (
                status["phase"],
                (status.get("decision") or {}).get("reason"),
                status["step"],
                status["state"].get("table", []),
            )
            for name, status in experiments.items()
        },
        "events": Counter(
            (event["involvedObject"]["name"], event["reason"])
            for event in world.cluster.events.values()
            if event["involvedObject"]["kind"] == "Experiment" and event["reason"] in VERDICTS
        ),
        "route": world.gateways.routes[CHURN],
        "counts": {uid: definition["closed"] for uid, definition in world.outcomes.definitions.items()},
    }


async def undisturbed(name: str) -> tuple[Any, int]:
    begin, story = STORIES[name]
    world = await begin()
    before = world.fuse.burnt
    await story(world)
    return picture(world), world.fuse.burnt - before


async def interrupted(name: str, after: int, *, restart: bool) -> Any:
    """Tell the story again and again, as the world would go on, until the operator lives through it."""
    begin, story = STORIES[name]
    world = await begin()
    world.fuse.left = after
    for _ in range(3):
        try:
            await story(world)
            return picture(world)
        except (Killed, asyncio.CancelledError):
            if restart:
                world.restart()
            world.watch()
    raise AssertionError("it dies again and again")


@pytest.mark.parametrize("restart", [True, False], ids=["killed", "cancelled"])
@pytest.mark.parametrize("name", STORIES)
async def test_a_death_after_any_effect_comes_to_the_same_end(name: str, *, restart: bool) -> None:
    expected, effects = await undisturbed(name)
    assert effects > 5
    for after in range(1, effects + 1):
        assert await interrupted(name, after, restart=restart) == expected, (
            f"after effect {after} of {effects}"
        )


@pytest.mark.parametrize("restart", [True, False], ids=["killed", "cancelled"])
@pytest.mark.parametrize(("name", "verdict"), [("promote", "Promote"), ("roll back", "RollBack")])
async def test_a_verdict_is_counted_once_and_never_twice(name: str, verdict: str, *, restart: bool) -> None:
    """A process that dies between the write and the count takes its counters along; no other loses one."""
    _, effects = await undisturbed(name)
    for after in range(1, effects + 1):
        before = counted(verdict)
        await interrupted(name, after, restart=restart)
        assert counted(verdict) - before in ({0, 1} if restart else {1}), f"after effect {after}"


def counted(verdict: str) -> float:
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    name = "assay_experiment_verdicts_total"
    return sum(s.value for s in samples if s.name == name and s.labels["verdict"] == verdict)
