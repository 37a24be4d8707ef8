"""A pod that dies is not news to callers, whether or not there is an operator to tell; a real Envoy.

ASSAY_KILLS asks for other than fifty kills of a pod.
"""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assay_assign import arm_at, slot

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("ASSAY_KILLS", "50"))


@pytest.fixture
async def fleets(lab: Any) -> AsyncIterator[Any]:
    """Two pods each of versions v1 and v2, which take a hundredth of a second to answer."""
    async with lab.fleets("v1", "v2", seconds=0.01) as running:
        yield running


def halves(lab: Any, fleets: Any, **extra: Any) -> Any:
    """Return a route with every unit in one of two arms: v1, the champion, and v2."""
    v1, v2 = fleets
    return lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend}), **extra)


@pytest.mark.parametrize("alone", [False, True], ids=["with an operator", "without an operator"])
async def test_kill_9_of_one_of_two_pods_costs_nobody_an_answer(
    lab: Any, gateway: Any, fleets: Any, *, alone: bool
) -> None:
    v1, _ = fleets
    await gateway.publish(lab.churn(v1.backend))
    if alone:
        await gateway.ads.stop()
    async with lab.Load(gateway) as load:
        for turn in range(KILLS):
            dying, other = v1.pods[turn % 2], v1.pods[1 - turn % 2]
            await load.more(5)
            await dying.kill()
            await load.more(5)
            if not alone:
                await gateway.publish(lab.churn(lab.Backend("v1", (other.endpoint,), v1.service)))
            await dying.start()
            if not alone:
                await gateway.publish(lab.churn(v1.backend))
    assert load.failed == []


async def test_kill_9_of_a_pod_of_an_arm_sends_nobody_to_the_champion_but_whom_it_was_answering(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    wanted = halves(lab, fleets)
    await gateway.publish(wanted)
    async with lab.Load(gateway) as load:
        for turn in range(KILLS // 5):
            await load.more(20)
            await fleets[1].pods[turn % 2].kill()
            await load.more(20)
            await fleets[1].pods[turn % 2].start()
    assert load.failed == []
    covered = [r for r in await gateway.log(len(load.answers)) if r["served"] != r["assigned"]]
    assert {r["assigned"] for r in covered} <= {"boosted"}
    assert len(covered) <= 8 * KILLS // 5, "no more than callers, at each kill"
    assert all(r["attempts"] > 1 for r in covered)


async def test_every_pod_is_replaced_and_each_arm_goes_on_with_its_own_version(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    wanted = halves(lab, fleets)
    await gateway.publish(wanted)
    await gateway.ads.stop()
    async with lab.Load(gateway) as load:
        for _ in range(3):  # of two, so that what the operator said is nobody's any more
            for fleet in fleets:
                await fleet.replace()
        await load.more(100)
    assert load.failed == []
    versions = {"control": "v1", "boosted": "v2"}
    for unit, answer in load.answers:
        arm = arm_at(wanted.split.table, slot("exp-1", unit))
        assert arm is not None
        assert (answer.arm, answer.version) == (arm, versions[arm])
        assert answer.body == f"{versions[arm]}\n".encode()
    log = await gateway.log(len(load.answers))
    assert {(r["assigned"], r["served"], r["version"]) for r in log} == {
        (arm, arm, version) for arm, version in versions.items()
    }


async def test_what_may_not_run_twice_survives_a_replacement_as_no_request_is_sent_to_a_dead_pod(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    v1, _ = fleets
    await gateway.publish(lab.churn(v1.backend, retry_executed=False))
    await gateway.ads.stop()
    for _ in range(2):
        await v1.replace()
    async with lab.Load(gateway) as load:
        await load.more(50)
    assert load.failed == []
    assert {r["attempts"] for r in await gateway.log(50)} == {1}


async def test_a_pod_that_was_not_ready_when_the_operator_left_is_found_by_its_service(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    v1, v2 = fleets
    unready = [lab.Backend(fleet.version, (), fleet.service) for fleet in (v1, v2)]
    arms = dict(zip(("control", "boosted"), unready, strict=True))
    await gateway.publish(lab.churn(unready[0], lab.split(arms)))
    await gateway.ads.stop()
    async with lab.Load(gateway) as load:
        await load.more(60)
    assert load.failed == []
    assert {(a.arm, a.version) for _, a in load.answers} == {("control", "v1"), ("boosted", "v2")}


async def test_an_arm_without_any_pod_is_answered_by_the_champion_until_its_service_has_one(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    _, v2 = fleets
    await gateway.publish(halves(lab, fleets))
    await gateway.ads.stop()
    await v2.stop()
    v2.pods.clear()
    async with lab.Load(gateway) as load:
        await load.more(100)
        assert {a.version for _, a in load.answers} == {"v1"}
        await v2.grow()
        await lab.until(lambda: "v2" in {a.version for _, a in load.answers}, 40)
        await load.more(50)
    assert load.failed == []


async def test_a_champion_without_any_pod_answers_as_soon_as_its_service_has_one(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    v1, _ = fleets
    await gateway.publish(lab.churn(v1.backend))
    await gateway.ads.stop()
    await v1.stop()
    v1.pods.clear()
    caller = gateway.caller()
    assert {(await caller.ask("churn.demo")).status for _ in range(20)} == {503}
    await v1.grow()
    assert {(await caller.ask("churn.demo")).status for _ in range(20)} == {200}


async def test_pods_that_neither_take_nor_refuse_a_connection_cost_a_moment(
    lab: Any, gateway: Any, fleets: Any
) -> None:
    v1, _ = fleets
    with lab.silent_port() as one, lab.silent_port() as other:
        await gateway.publish(lab.churn(lab.Backend("v1", (one, other), v1.service)))
        begin = time.monotonic()
        answer = await gateway.caller().ask("churn.demo")
        assert (answer.status, answer.version) == (200, "v1")
        assert 0.25 < time.monotonic() - begin < 1.5, "Envoy waits 0.3 s before it tries the Service"
        (line,) = await gateway.log(1)
        assert (line["served"], line["version"], line["attempts"]) == ("champion", "v1", 1)


async def test_a_gateway_that_starts_alone_finds_pods_that_it_has_never_heard_of(
    lab: Any, tmp_path: Path, fleets: Any
) -> None:
    async with lab.relayed(tmp_path) as (gateway, relay):
        await gateway.publish(halves(lab, fleets))
        await gateway.ads.stop()
        await lab.until(lambda: relay.metric("assay_relay_connected") == 0)
        gateway.envoy.kill()
        for fleet in fleets:
            for _ in range(2):
                await fleet.replace()
        gateway.envoy.start()
        await lab.until(gateway.ready)
        async with lab.Load(gateway) as load:
            await load.more(60)
        assert load.failed == []
        assert {(a.arm, a.version) for _, a in load.answers} == {("control", "v1"), ("boosted", "v2")}
