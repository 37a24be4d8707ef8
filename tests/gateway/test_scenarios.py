"""The acceptance scenarios of the data plane, by their names, through relay and Envoy as in a pod."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from assay_assign import encode

pytestmark = pytest.mark.slow

ALPHA = 1e-4


@pytest.fixture
async def relayed(lab: Any, tmp_path: Path) -> AsyncIterator[Any]:
    async with lab.relayed(tmp_path, linger=0.2) as both:
        yield both


def route(lab: Any, servers: Any, percent: float, **extra: Any) -> Any:
    v1, v2 = servers
    return lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend}, percent, **extra))


async def answers(gateway: Any, units: Any) -> list[Any]:
    caller = gateway.caller()
    return [await caller.ask("churn.demo", unit) for unit in units]


async def test_1_the_split_is_the_declared_one(lab: Any, relayed: Any, servers: Any) -> None:
    gateway, _ = relayed
    bad = lab.churn(
        servers[0].backend,
        lab.split({"control": servers[0].backend, "boosted": servers[1].backend}, 20),
        retry_executed=False,  # or the champion would answer for it
    )
    servers[1].mode = "error"
    await gateway.publish(bad)
    failures = [a.status for a in await answers(gateway, (f"u{n}" for n in range(2_000)))].count(500)
    low, high = stats.binom.interval(1 - ALPHA, 2_000, 0.2)
    assert low <= failures <= high
    assert failures == len(servers[1].received)


@pytest.mark.parametrize("weights", [(10, 90), (25, 75), (20, 30, 50)], ids=str)
async def test_2_the_hash_is_fair_for_every_ratio(
    lab: Any, relayed: Any, servers: Any, weights: tuple[int, ...]
) -> None:
    """Counted from the log, which tells arms apart that share a server."""
    gateway, _ = relayed
    names = [f"arm-{n}" for n in range(len(weights))]
    backends = dict(zip(names, itertools.cycle(each.backend for each in servers), strict=False))
    split = lab.split(backends, 100 - weights[0], weights=weights)
    await gateway.publish(lab.churn(servers[0].backend, split))
    arms = [a.arm for a in await answers(gateway, (f"u{n}" for n in range(3_000)))]
    counts = [arms.count(name) for name in names]
    assert sum(counts) == 3_000, f"all are enrolled by {encode(split.table)}"
    assert stats.chisquare(counts, [30 * weight for weight in weights]).pvalue > ALPHA


async def test_3_a_unit_keeps_its_arm_through_restarts(lab: Any, relayed: Any, servers: Any) -> None:
    gateway, relay = relayed
    units, wanted = [f"u{n}" for n in range(40)], route(lab, servers, 50)
    await gateway.publish(wanted)
    before = [a.arm for a in await answers(gateway, units)]

    async def same() -> bool:
        return [a.arm for a in await answers(gateway, units)] == before

    with lab.envoy(gateway.folder, relay.port, "edge-2"):  # both listen on one port: the kernel shares out
        message = "2 of 2 gateways acknowledged"
        await lab.until(lambda: gateway.ads.programmed(lab.Ref("demo", "churn")).message == message)
        assert all([await same() for _ in range(10)])
        gateway.envoy.kill()
        assert all([await same() for _ in range(5)])
        gateway.envoy.start()
        await gateway.restart_operator(wanted)
        await lab.until(lambda: gateway.ads.programmed(lab.Ref("demo", "churn")).message == message)
        assert all([await same() for _ in range(5)])
    assert set(before) == {"control", "boosted"}


async def test_4_sticky_between_steps_and_honest_about_strangers(
    lab: Any, relayed: Any, servers: Any
) -> None:
    gateway, _ = relayed
    await gateway.publish(route(lab, servers, 20))
    units = [f"u{n}" for n in range(60)]
    arms = [[a.arm for a in await answers(gateway, units)] for _ in range(6)]
    assert all(turn == arms[0] for turn in arms)
    strangers = await answers(gateway, [None] * 30)
    assert {(a.arm, a.version) for a in strangers} == {("none", "v1")}
    log = await gateway.log(6 * 60 + 30)
    assert [r["experiment"] for r in log if r["assigned"] == "none"] == [None] * 30


async def test_5_weights_replace_they_do_not_add_up(lab: Any, relayed: Any, servers: Any) -> None:
    gateway, _ = relayed
    await gateway.publish(route(lab, servers, 50))
    assert {a.version for a in await answers(gateway, (f"u{n}" for n in range(50)))} == {"v1", "v2"}
    running = route(lab, servers, 50, epoch=2)
    none = replace(running, split=replace(running.split, table=()))
    await gateway.publish(none)
    reached = len(servers[1].received)
    assert {a.version for a in await answers(gateway, (f"u{n}" for n in range(1_000)))} == {"v1"}
    assert len(servers[1].received) == reached
    log = await gateway.log(1_050)
    assert {r["assigned"] for r in log if r["epoch"] == "2"} == {"unenrolled"}
