"""Experiments of different Models in one layer: disjoint slots, one salt, and room again when one ends."""

from typing import Any, cast

import pytest
from operated import ROLLOUT, World, merged, two_versions

from assay_api import Ref
from assay_api.names import ABORT
from assay_assign import arm_at, slot
from assay_operator.composition import Acting, Switch
from assay_operator.handlers.triggers import Triggers
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.telemetry.cached_sources import CachedSources
from assay_operator.telemetry.counts import CountsReader
from assay_operator.telemetry.nop import NoSources

CHURN, UPSELL, OFFER = MODELS = tuple(Ref("team", name) for name in ("churn", "upsell", "offer"))


def rollout(share: int, layer: str = "page") -> dict[str, Any]:
    change = {"layer": {"name": layer, "share": share}, "ramp": [{"percent": 5}, {"percent": share / 2}]}
    return {"rollout": merged(ROLLOUT, {"experiment": change})}


async def started(world: World, **shares: int) -> None:
    """Let each Model have an Experiment that may start, in this order."""
    for model, share in shares.items():
        await two_versions(world, model, **rollout(share))
        world.answers(f"{model}-2")
        await world.settle(Ref("team", model))


def slots(world: World, model: str) -> tuple[int, int] | None:
    found = world.status("Experiment", f"{model}-2-g2").get("state", {}).get("slots")
    return (found["from"], found["to"]) if found else None


def abort(world: World, model: str) -> None:
    world.put("Experiment", f"{model}-2-g2", metadata={"annotations": {ABORT: "enough"}})


async def test_two_experiments_of_a_layer_share_its_salt_and_no_slot(world: World) -> None:
    await started(world, churn=40, upsell=60)
    assert (slots(world, "churn"), slots(world, "upsell")) == ((0, 4000), (4000, 10_000))
    splits = [world.gateways.routes[ref].split for ref in (CHURN, UPSELL)]
    assert splits[0] is not None
    assert splits[1] is not None
    assert splits[0].salt == splits[1].salt
    assert splits[0].uid != splits[1].uid
    for n in range(2000):
        at = slot(splits[0].salt, f"user-{n}")
        assert None in {arm_at(split.table, at) for split in splits if split}


async def test_what_does_not_fit_is_queued_and_says_what_it_waits_for(world: World) -> None:
    await started(world, churn=40, upsell=70)
    assert world.condition("Experiment", "upsell-2-g2", "Ready") == ("Unknown", "LayerFull")
    assert world.status("Experiment", "upsell-2-g2")["phase"] == "Queued"
    message = world.status("Experiment", "upsell-2-g2")["conditions"][0]["message"]
    assert message == "layer page: 70% asked for, 60% free in one piece; taken by churn-2-g2 40%"
    assert world.gateways.routes[UPSELL].split is None


async def test_layers_of_other_names_do_not_mind_each_other(world: World) -> None:
    await two_versions(world, "churn", **rollout(80, "page"))
    await two_versions(world, "upsell", **rollout(80, "mail"))
    world.answers("churn-2", "upsell-2")
    await world.settle(CHURN, UPSELL)
    assert (slots(world, "churn"), slots(world, "upsell")) == ((0, 8000), (0, 8000))
    salts = {world.status("Experiment", f"{model}-2-g2")["state"]["salt"] for model in ("churn", "upsell")}
    assert len(salts) == 2


async def test_slots_are_free_when_every_gateway_has_let_go_and_not_before(world: World) -> None:
    await started(world, churn=40, upsell=70)
    world.gateways.confirms = False
    abort(world, "churn")
    await world.settle(CHURN, UPSELL)
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"
    assert slots(world, "churn") == (0, 4000), "a gateway may still send units by the old table"
    assert slots(world, "upsell") is None
    world.gateways.confirms = True
    world.restart()
    await world.settle(CHURN, UPSELL)
    assert (slots(world, "churn"), slots(world, "upsell")) == (None, (0, 7000))


async def test_who_finds_the_layer_empty_mixes_the_units_anew(world: World) -> None:
    await started(world, churn=60)
    first = world.status("Experiment", "churn-2-g2")["state"]["salt"]
    abort(world, "churn")
    await world.settle(CHURN)
    await started(world, upsell=60)
    assert world.status("Experiment", "upsell-2-g2")["state"]["salt"] != first


async def test_widening_stays_within_the_slots_and_takes_no_unit_from_an_arm(world: World) -> None:
    await started(world, churn=40, upsell=60)
    world.moment = world.moment.replace(hour=1)
    for model in ("churn", "upsell"):
        world.counted(f"{model}-2-g2", (5000, 4000), (5000, 4010))
    await world.settle(CHURN, UPSELL)
    tables = {m: world.status("Experiment", f"{m}-2-g2")["state"]["table"] for m in ("churn", "upsell")}
    spans = {m: [(part["arm"], part["from"], part["to"]) for part in table] for m, table in tables.items()}
    assert spans == {
        "churn": [("control", 0, 2000), ("candidate", 2000, 4000)],
        "upsell": [("control", 4000, 7000), ("candidate", 7000, 10_000)],
    }


@pytest.mark.parametrize("restart", [False, True])
async def test_a_write_that_is_not_answered_gives_its_slots_to_nobody_else(
    world: World,
    restart: bool,  # noqa: FBT001
) -> None:
    """Whether the API server took the write is not known; it did, in this story."""
    await two_versions(world, "churn", **rollout(60))
    await two_versions(world, "upsell", **rollout(60))
    world.answers("churn-2", "upsell-2")
    answer = world.cluster.apply_status

    async def unanswered(manifest: Any, **more: Any) -> Any:
        await answer(manifest, **more)
        raise ConnectionResetError

    world.cluster.apply_status = unanswered  # type: ignore[method-assign]
    with pytest.raises(ConnectionResetError):
        await world.reconcile(CHURN)
    world.cluster.apply_status = answer  # type: ignore[method-assign]
    if restart:
        world.restart()
    await world.settle(UPSELL, CHURN)
    assert (slots(world, "churn"), slots(world, "upsell")) == ((0, 6000), None)


async def test_an_experiment_whose_pods_went_before_it_started_gives_its_slots_back(world: World) -> None:
    await two_versions(world, "churn", **rollout(60))
    await two_versions(world, "upsell", **rollout(60))
    world.outcomes.fault = "connection refused"
    world.answers("churn-2")
    await world.settle(CHURN)
    world.outcomes.fault = ""
    world.put("EndpointSlice", "churn-2-x", endpoints=[])
    await world.settle(CHURN)
    world.answers("upsell-2")
    await world.settle(UPSELL)
    assert slots(world, "upsell") == (0, 6000)


async def test_an_end_wakes_who_waits_for_room(world: World) -> None:
    """Without a walk over all Models: those of the layer only."""
    await started(world, churn=40, upsell=70, offer=20)
    queue, switch = WorkQueue(world.reconcile), Switch()
    counts = CountsReader(world.outcomes, queue.add)
    switch.acting = Acting(queue, world.reconcile, counts, cast(CachedSources, NoSources()))
    triggers = Triggers(world.cluster, world.store, switch)
    abort(world, "churn")
    await world.settle(CHURN)
    triggers.room_after(world.cluster.bodies["Experiment", "churn-2-g2"])
    assert set(queue._due) == {UPSELL}


async def test_when_the_model_goes_its_part_of_the_layer_is_free(world: World) -> None:
    await started(world, churn=40)
    world.store.drop(world.cluster.bodies.pop(("Model", "churn")))
    for _ in range(3):
        await world.reconcile(CHURN)
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"
    assert slots(world, "churn") is None
