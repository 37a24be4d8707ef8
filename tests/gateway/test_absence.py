"""Gateways that start while the operator is away serve what they had; real Envoys, relays and ADS servers."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from assay_assign import arm_at, slot

UNITS = [f"u{n}" for n in range(60)]


@pytest.fixture
async def relayed(lab: Any, tmp_path: Path) -> AsyncIterator[Any]:
    async with lab.relayed(tmp_path, linger=0.2) as both:
        yield both


def route(lab: Any, servers: Any, percent: float = 50, **extra: Any) -> Any:
    v1, v2 = servers
    arms = {"control": v1.backend, "boosted": v2.backend}
    return lab.churn(v1.backend, lab.split(arms, percent, **extra))


async def arms(gateway: Any) -> dict[str, str]:
    """Return the arm of each unit, as Envoy says it."""
    caller = gateway.caller()
    answers = {unit: await caller.ask("churn.demo", unit) for unit in UNITS}
    assert {answer.status for answer in answers.values()} == {200}
    return {unit: answer.arm for unit, answer in answers.items()}


def expected(wanted: Any) -> dict[str, str]:
    """Return the arm of each unit, as anybody can compute it."""
    split = wanted.split
    return {unit: arm_at(split.table, slot(split.uid, unit)) or "unenrolled" for unit in UNITS}


async def operator_gone(lab: Any, gateway: Any, relay: Any) -> None:
    await gateway.ads.stop()
    await lab.until(lambda: relay.metric("assay_relay_connected") == 0)


async def test_an_envoy_that_starts_without_an_operator_serves_the_last_table_and_then_the_next(
    lab: Any, relayed: Any, servers: Any
) -> None:
    gateway, relay = relayed
    first, second = route(lab, servers, 20), route(lab, servers, 50, epoch=2)
    await gateway.publish(route(lab, servers, 5, epoch=0))
    await gateway.publish(first)
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    gateway.envoy.start()
    await lab.until(gateway.ready)
    assert await arms(gateway) == expected(first)
    assert relay.metric("assay_relay_waiting") == 1
    await gateway.restart_operator(second)
    assert (await gateway.ads.wait_programmed(lab.Ref("demo", "churn"), 15)).done
    assert await arms(gateway) == expected(second)
    assert relay.metric("assay_relay_refused_total") == 0


async def test_it_is_remembered_when_the_whole_pod_starts_anew(lab: Any, relayed: Any, servers: Any) -> None:
    gateway, relay = relayed
    wanted = route(lab, servers, 20)
    await gateway.publish(wanted)
    await lab.until(relay.memory.exists)
    saved = relay.metric("assay_relay_remembered_resources")
    await asyncio.sleep(0.2)  # longer than it takes to be written
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    relay.kill()
    relay.start()
    gateway.envoy.start()
    await lab.until(gateway.ready)
    assert relay.metric("assay_relay_remembered_resources") == saved > 0
    assert await arms(gateway) == expected(wanted)


async def test_what_is_served_from_memory_is_never_called_programmed(
    lab: Any, relayed: Any, servers: Any
) -> None:
    """The operator hears of a gateway when the gateway speaks to it, and of a table when it has taken it."""
    gateway, relay = relayed
    ref = lab.Ref("demo", "churn")
    await gateway.publish(route(lab, servers, 20))
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    gateway.envoy.start()
    await lab.until(gateway.ready)
    later = lab.AdsServer(gateway.edge)
    await later.publish(ref, route(lab, servers, 50, epoch=2))
    assert later.programmed(ref).message == "no gateway is connected"
    gateway.envoy.process.send_signal(19)  # SIGSTOP: it serves the old table, and takes no new one
    await later.start(gateway.xds_port, "127.0.0.1")
    assert not (await later.wait_programmed(ref, 1)).done
    gateway.envoy.process.send_signal(18)
    assert (await later.wait_programmed(ref, 15)).done
    await later.stop()


async def test_no_request_is_lost_when_operators_come_and_go_around_a_gateway_that_started_alone(
    lab: Any, relayed: Any, servers: Any
) -> None:
    gateway, relay = relayed
    await gateway.publish(route(lab, servers))
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    gateway.envoy.start()
    await lab.until(gateway.ready)
    statuses: list[int] = []
    async with asyncio.TaskGroup() as group:
        load = [group.create_task(pound(gateway.caller(), statuses)) for _ in range(4)]
        for turn in range(3):
            wanted = route(lab, servers, (5, 50)[turn % 2], epoch=turn + 2)
            await gateway.restart_operator(wanted)
            assert (await gateway.ads.wait_programmed(lab.Ref("demo", "churn"), 15)).done
            assert await arms(gateway) == expected(wanted)
            await operator_gone(lab, gateway, relay)
        for task in load:
            task.cancel()
    assert len(statuses) > 100
    assert set(statuses) == {200}


async def pound(caller: Any, statuses: list[int]) -> None:
    for number in itertools.count():
        statuses.append((await caller.ask("churn.demo", f"p{number}")).status)
        await asyncio.sleep(0.001)


async def test_a_relay_that_is_killed_takes_nobody_along(lab: Any, relayed: Any, servers: Any) -> None:
    gateway, relay = relayed
    await gateway.publish(route(lab, servers, 20))
    relay.kill()
    assert await arms(gateway) == expected(route(lab, servers, 20))
    relay.start()
    await gateway.publish(route(lab, servers, 50, epoch=2), 15)
    assert await arms(gateway) == expected(route(lab, servers, 50))


async def test_a_refusal_reaches_the_operator_and_is_not_remembered(
    lab: Any, relayed: Any, servers: Any
) -> None:
    gateway, relay = relayed
    wanted = route(lab, servers, 20)
    await gateway.publish(wanted)
    bad = lab.Ref("demo", "b\nd")
    await gateway.ads.publish(bad, lab.ModelRoute(*bad, servers[1].backend))
    assert (await gateway.ads.wait_programmed(bad, 10)).nack
    await gateway.publish(lab.ModelRoute("demo", "other", servers[1].backend))
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    gateway.envoy.start()
    await lab.until(gateway.ready)
    assert await arms(gateway) == expected(wanted)
    assert (await gateway.caller().ask("other.demo")).status == 200
    assert (await gateway.caller().ask("gone.demo")).status == 404


async def test_a_model_that_left_is_not_remembered(lab: Any, relayed: Any, servers: Any) -> None:
    gateway, relay = relayed
    await gateway.publish(route(lab, servers, 20))
    await gateway.publish(lab.ModelRoute("demo", "other", servers[1].backend))
    before = relay.metric("assay_relay_remembered_resources")
    assert await gateway.ads.publish(lab.Ref("demo", "other"), None) == ""
    await lab.until(lambda: relay.metric("assay_relay_remembered_resources") == before - 4)
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    gateway.envoy.start()
    await lab.until(gateway.ready)
    assert (await gateway.caller().ask("other.demo")).status == 404


@pytest.fixture
async def newcomer(lab: Any, tmp_path: Path) -> AsyncIterator[Any]:
    """What starts another gateway pod, that has nothing, beside one; it returns how to reach its Envoy."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(edge: Any, peer: int, token: str = "a token") -> tuple[Any, Any]:
            folder = tmp_path / "newcomer"
            folder.mkdir()
            relay = lab.Relay(folder, lab.free_port(), peer, token)
            stack.callback(relay.process.wait, 15)
            stack.callback(relay.process.terminate)
            stack.enter_context(lab.envoy(folder, relay.port, "edge-2"))
            pod = lab.Gateway(folder)
            pod.edge = edge
            stack.push_async_callback(pod.close)
            return pod, relay

        yield start


async def test_a_new_pod_knows_nothing_and_says_so_by_not_being_ready(lab: Any, newcomer: Any) -> None:
    """There is no other gateway that could tell."""
    pod, relay = await newcomer(lab.edge(Path("/nowhere")), lab.free_port())
    await lab.until(lambda: relay.metric("assay_relay_waiting") == 1)
    await asyncio.sleep(0.3)
    assert not await pod.ready()


async def test_a_new_pod_serves_what_another_gateway_remembers(
    lab: Any, relayed: Any, newcomer: Any, servers: Any
) -> None:
    gateway, relay = relayed
    wanted = route(lab, servers, 20)
    await gateway.publish(wanted)
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()  # both are on one machine, and listen on the same port
    pod, other = await newcomer(gateway.edge, relay.peers)
    await lab.until(pod.ready)
    assert await arms(pod) == expected(wanted)
    assert other.metric("assay_relay_remembered_resources") == relay.metric(
        "assay_relay_remembered_resources"
    )


async def test_a_pod_without_the_token_of_gateways_is_told_nothing(
    lab: Any, relayed: Any, newcomer: Any, servers: Any
) -> None:
    gateway, relay = relayed
    await gateway.publish(route(lab, servers, 20))
    await operator_gone(lab, gateway, relay)
    gateway.envoy.kill()
    pod, other = await newcomer(gateway.edge, relay.peers, token="a guess")
    await lab.until(lambda: other.metric("assay_relay_waiting") == 1)
    await asyncio.sleep(1.5)  # it asks once a second
    assert other.metric("assay_relay_remembered_resources") == 0
    assert not await pod.ready()
