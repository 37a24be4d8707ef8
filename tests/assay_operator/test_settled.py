"""A pass plans only if something is different from the last one that changed nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from operated import CHURN, World, two_versions

from assay_operator.kube.store import Store
from assay_operator.plan.model import plan
from assay_operator.plan.world import Key
from assay_operator.reconcile.settled import LONGEST
from assay_operator.telemetry import Summary

Plans = list[Any]


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    """The worlds that were planned."""
    made: Plans = []

    def noted(world: Any) -> Any:
        made.append(world)
        return plan(world)

    monkeypatch.setattr("assay_operator.reconcile.run.plan", noted)
    return made


async def settled(world: World) -> float | None:
    """Start an Experiment, and let everything come to rest; return when time changes the next thing."""
    await two_versions(world)
    world.answers("churn-1", "churn-2")
    await world.settle()
    return await world.reconcile(CHURN)


async def test_a_pass_without_news_plans_nothing_and_still_says_when_to_come_again(
    world: World, plans: Plans
) -> None:
    again = await settled(world)
    plans.clear()
    world.moment += timedelta(seconds=1)
    later = await world.reconcile(CHURN)
    assert plans == []
    assert again is not None
    assert later == pytest.approx(again - 1)


async def test_the_echo_of_a_watch_is_no_news(world: World, plans: Plans) -> None:
    await settled(world)
    plans.clear()
    known = world.store.objects(CHURN)
    for body in world.cluster.bodies.values():
        assert not world.store.is_news(body)
    assert world.store.objects(CHURN) is known
    await world.reconcile(CHURN)
    assert plans == []


def _edited(world: World) -> None:
    world.apply_model(3, image={"image": "two"}, serving={"timeout": "5s"})


def _pod_gone(world: World) -> None:
    world.put("EndpointSlice", "churn-2-x", endpoints=[])


def _child_deleted(world: World) -> None:
    world.store.drop(world.cluster.bodies.pop(("Service", "churn")))


def _numbers(world: World) -> None:
    experiment = next(name for kind, name in world.cluster.bodies if kind == "Experiment")
    world.counted(experiment, (10, 5), (10, 5))


def _gateway_behind(world: World) -> None:
    world.gateways.confirms = False


def _no_collector(world: World) -> None:
    for uid in world.outcomes.definitions:
        world.outcomes.answers[uid] = Summary(last_ingest=world.moment)


def _time(world: World) -> None:
    world.moment += timedelta(seconds=10)  # the minimum duration of the experiment


def _long_time(world: World) -> None:
    world.moment += LONGEST


@pytest.mark.parametrize(
    "happen",
    [_edited, _pod_gone, _child_deleted, _numbers, _gateway_behind, _no_collector, _time, _long_time],
)
async def test_whatever_happens_is_planned_for(
    world: World, plans: Plans, happen: Callable[[World], None]
) -> None:
    await settled(world)
    plans.clear()
    happen(world)
    await world.reconcile(CHURN)
    assert plans


async def test_a_pass_that_failed_is_made_again(
    world: World, plans: Plans, monkeypatch: pytest.MonkeyPatch
) -> None:
    await settled(world)

    async def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError("nobody answers")

    with monkeypatch.context() as away:
        away.setattr(world.cluster, "apply_status", unreachable)
        _edited(world)
        with pytest.raises(OSError, match="nobody answers"):
            await world.reconcile(CHURN)
    plans.clear()
    await world.settle()
    assert plans
    assert world.status("Model", "churn")["observedGeneration"] == 3


def test_the_objects_of_a_model_are_the_same_mapping_until_one_changes() -> None:
    store = Store()
    other: dict[str, Any] = {"name": "b", "namespace": "team", "uid": "b", "resourceVersion": "1"}
    body: dict[str, Any] = {"kind": "Model", "metadata": {**other, "name": "a", "uid": "a"}}
    store.put(body)
    before = store.objects(CHURN._replace(name="a"))
    store.put({"kind": "Model", "metadata": other})
    assert store.objects(CHURN._replace(name="a")) is before
    store.put({"kind": "Model", "metadata": {**body["metadata"], "resourceVersion": "2"}})
    after = store.objects(CHURN._replace(name="a"))
    assert before[Key("Model", "a")]["metadata"]["resourceVersion"] == "1"
    assert after[Key("Model", "a")]["metadata"]["resourceVersion"] == "2"
    store.drop(body)
    assert store.objects(CHURN._replace(name="a")) == {}
