"""Changes under load: none costs a request, and everybody knows when they are in force; a real Envoy."""

import asyncio
import collections
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from assay_assign import arm_at, slot


class Load:
    """Callers that never stop; counts what they got."""

    def __init__(self) -> None:
        self.answers: collections.Counter[tuple[int, str]] = collections.Counter()

    @property
    def failed(self) -> dict[tuple[int, str], int]:
        return {key: count for key, count in self.answers.items() if key[0] != 200}

    async def call(self, caller: Any, units: Any) -> None:
        while True:
            answer = await caller.ask("churn.demo", f"u{next(units)}")
            self.answers[answer.status, answer.version] += 1
            await asyncio.sleep(0.001)


@contextlib.asynccontextmanager
async def load(gateway: Any, callers: int = 6) -> AsyncIterator[Load]:
    running, units = Load(), itertools.count()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(running.call(gateway.caller(), units)) for _ in range(callers)]
        yield running
        for task in tasks:
            task.cancel()


def split(lab: Any, servers: Any, percent: float = 50, **extra: Any) -> Any:
    v1, v2 = servers
    return lab.split({"control": v1.backend, "boosted": v2.backend}, percent, **extra)


def clusters(gateway: Any) -> set[str]:
    lines = gateway.envoy.get("/clusters").splitlines()
    return {line.split("::")[0] for line in lines if line.startswith("demo/")}


async def test_a_hundred_changes_of_the_weights_lose_no_request(lab: Any, gateway: Any, servers: Any) -> None:
    await gateway.publish(lab.churn(servers[0].backend, split(lab, servers)))
    async with load(gateway) as traffic:
        for epoch in range(100):
            percent = (5, 50)[epoch % 2]
            await gateway.publish(lab.churn(servers[0].backend, split(lab, servers, percent, epoch=epoch)))
    assert traffic.failed == {}
    assert {version for _, version in traffic.answers} == {"v1", "v2"}


async def test_the_life_of_experiments_loses_no_request_and_leaves_nothing(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend))
    async with load(gateway) as traffic:
        for turn in range(5):
            old, new = (v1, v2) if turn % 2 == 0 else (v2, v1)
            for percent in (5, 20, 50):
                arms = {"control": old.backend, "boosted": new.backend}
                route = lab.churn(old.backend, lab.split(arms, percent, uid=f"exp-{turn}"))
                await gateway.publish(route)
            await gateway.publish(lab.churn(new.backend))
        await lab.until(lambda: clusters(gateway) == {"demo/churn/champion@v2"})
    assert traffic.failed == {}
    assert {
        answer.version for answer in [await gateway.caller().ask("churn.demo", "u") for _ in range(9)]
    } == {"v2"}


async def test_a_request_under_way_is_answered_though_its_cluster_is_removed(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend))
    v1.delay = 1.5
    slow = asyncio.create_task(gateway.caller().ask("churn.demo"))
    await lab.until(lambda: v1.received)
    await gateway.publish(lab.churn(v2.backend))
    await lab.until(lambda: clusters(gateway) == {"demo/churn/champion@v2"})
    assert not slow.done()
    assert ((await slow).status, (await slow).version) == (200, "v1")


async def test_endpoints_come_and_go_without_a_lost_request(lab: Any, gateway: Any, servers: Any) -> None:
    v1, v2 = servers
    both = lab.Backend("v1", (*v1.backend.endpoints, *v2.backend.endpoints))
    one, other = lab.Backend("v1", v1.backend.endpoints), lab.Backend("v1", v2.backend.endpoints)
    async with load_after(lab, gateway, both) as traffic:
        for backend in (one, both, other, both, one, other) * 4:
            await gateway.publish(lab.churn(backend))
    assert traffic.failed == {}


@contextlib.asynccontextmanager
async def load_after(lab: Any, gateway: Any, backend: Any) -> AsyncIterator[Load]:
    await gateway.publish(lab.churn(backend))
    async with load(gateway) as traffic:
        yield traffic


@pytest.mark.parametrize("percent", [0, 20], ids=["it was rolled back meanwhile", "it went on meanwhile"])
async def test_an_operator_that_comes_back_with_another_route_loses_no_request(
    lab: Any, gateway: Any, servers: Any, percent: int
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, split(lab, servers)))
    after = lab.churn(v2.backend, split(lab, servers, percent, uid="exp-2") if percent else None)
    async with load(gateway) as traffic:
        for _ in range(3):
            await gateway.restart_operator(after)
            assert (await gateway.ads.wait_programmed(lab.Ref("demo", "churn"), 15)).done
            await gateway.restart_operator(lab.churn(v1.backend, split(lab, servers)))
            assert (await gateway.ads.wait_programmed(lab.Ref("demo", "churn"), 15)).done
        await gateway.restart_operator(after)
        await lab.until(lambda: "demo/churn/champion@v1" not in clusters(gateway))
    assert traffic.failed == {}


async def test_a_gateway_goes_on_while_there_is_no_operator(lab: Any, gateway: Any, servers: Any) -> None:
    await gateway.publish(lab.churn(servers[0].backend, split(lab, servers)))
    async with load(gateway) as traffic:
        await gateway.ads.stop()
        await lab.until(lambda: gateway.envoy.stat("control_plane.connected_state") == 0)
        before = traffic.answers.total()
        await lab.until(lambda: traffic.answers.total() > before + 200)
    assert traffic.failed == {}


async def test_a_refused_route_leaves_traffic_and_everybody_else_alone(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, split(lab, servers)))
    bad = lab.Ref("demo", "b\nd")
    async with load(gateway) as traffic:
        await gateway.ads.publish(bad, lab.ModelRoute(*bad, v2.backend))
        refused = await gateway.ads.wait_programmed(bad, 10)
        await gateway.publish(lab.churn(v2.backend))
    assert not refused.done
    assert refused.nack
    assert "gateway refused" in refused.message
    assert len(refused.nack) <= 400
    assert gateway.ads.programmed(bad).nack == refused.nack
    assert traffic.failed == {}
    with lab.envoy(gateway.folder, gateway.xds_port, "edge-2"):  # a new gateway never sees it
        message = "2 of 2 gateways acknowledged"
        await lab.until(lambda: gateway.ads.programmed(lab.Ref("demo", "churn")).message == message)


async def test_a_removed_model_is_a_404_and_takes_its_clusters_along(
    lab: Any, gateway: Any, servers: Any
) -> None:
    ref = lab.Ref("demo", "churn")
    await gateway.publish(lab.churn(servers[0].backend, split(lab, servers)))
    assert await gateway.ads.publish(ref, None) == ""
    assert (await gateway.ads.wait_programmed(ref, 5)).done
    assert (await gateway.caller().ask("churn.demo", "u1")).status == 404
    await lab.until(lambda: not clusters(gateway))


async def test_the_same_route_again_is_no_change(lab: Any, gateway: Any, servers: Any) -> None:
    route = lab.churn(servers[0].backend, split(lab, servers))
    await gateway.publish(route)
    dump = "/config_dump?resource=dynamic_route_configs"
    before = gateway.envoy.get(dump)
    assert "last_updated" in before
    assert len({await gateway.ads.publish(lab.Ref("demo", "churn"), route) for _ in range(5)}) == 1
    assert gateway.ads.programmed(lab.Ref("demo", "churn")).done
    assert gateway.envoy.get(dump) == before


async def test_nobody_waits_for_a_gateway_that_went_away(lab: Any, gateway: Any, servers: Any) -> None:
    route, ref = lab.churn(servers[0].backend), lab.Ref("demo", "churn")
    await gateway.publish(route)
    with lab.envoy(gateway.folder, gateway.xds_port, "edge-2") as second:
        await lab.until(lambda: gateway.ads.programmed(ref).message == "2 of 2 gateways acknowledged")
        second.process.send_signal(19)  # SIGSTOP: connected, and deaf
        await gateway.ads.publish(ref, lab.churn(servers[1].backend))
        waiting = asyncio.create_task(gateway.ads.wait_programmed(ref, 10))
        await lab.until(lambda: "waiting for edge-2" in gateway.ads.programmed(ref).message)
        second.kill()
        assert (await waiting).done
        assert gateway.ads.programmed(ref).gateways == 1


async def test_without_a_gateway_nothing_is_in_force(lab: Any, servers: Any, tmp_path: Any) -> None:
    alone = lab.Gateway(tmp_path)
    ref = lab.Ref("demo", "churn")
    await alone.ads.publish(ref, lab.churn(servers[0].backend))
    answer = await alone.ads.wait_programmed(ref, 0.05)
    assert (answer.done, answer.gateways, answer.message) == (False, 0, "no gateway is connected")


async def test_a_new_gateway_gets_everything_at_once(lab: Any, servers: Any, tmp_path: Any) -> None:
    """A restarted operator publishes all Models before it serves; no gateway may see fewer."""
    alone = lab.Gateway(tmp_path)
    refs = [lab.Ref("demo", f"m{i}") for i in range(100)]
    for ref in refs:
        await alone.ads.publish(ref, lab.ModelRoute(*ref, servers[0].backend))
    await alone.ads.start(alone.xds_port, "127.0.0.1")
    with lab.envoy(tmp_path, alone.xds_port):
        assert all([(await alone.ads.wait_programmed(ref, 10)).done for ref in refs])
        statuses = {(await alone.caller().ask(f"m{i}.demo")).status for i in range(0, 100, 9)}
        await alone.close()
    assert statuses == {200}


@pytest.mark.slow
async def test_ten_gateways_join_under_load_and_nobody_waits_for_those_that_leave(
    lab: Any, gateway: Any, servers: Any
) -> None:
    """Scale-out loses no request, a change is in force everywhere, and all give a unit the same arm."""
    ref, v1 = lab.Ref("demo", "churn"), servers[0]
    await gateway.publish(lab.churn(v1.backend, split(lab, servers)))

    def acknowledged(count: int) -> bool:
        return bool(gateway.ads.programmed(ref).message == f"{count} of {count} gateways acknowledged")

    with contextlib.ExitStack() as scaled:
        async with load(gateway) as traffic:
            others = [
                scaled.enter_context(lab.envoy(gateway.folder, gateway.xds_port, f"edge-{number}"))
                for number in range(2, 11)
            ]
            for epoch in itertools.count(2):
                percent = (5, 50)[epoch % 2]
                wanted = lab.churn(v1.backend, split(lab, servers, percent, epoch=epoch))
                await gateway.publish(wanted, 60)
                if acknowledged(10) and percent == 50:
                    break
        assert traffic.failed == {}
        units = [f"u{number}" for number in range(20)]
        expected = [arm_at(wanted.split.table, slot("exp-1", unit)) for unit in units]
        for _ in range(50):  # they share a port; the kernel deals connections out
            caller = gateway.caller()
            assert [(await caller.ask("churn.demo", unit)).arm for unit in units] == expected
        for other in others[:5]:
            other.kill()
        await gateway.publish(lab.churn(v1.backend))
        await lab.until(lambda: acknowledged(5))
