"""A shadow sees what the champion sees, and nobody sees it; a real Envoy."""

import asyncio
from typing import Any

import pytest


async def shadowed(lab: Any, gateway: Any, servers: Any, percent: float = 100) -> list[Any]:
    v1, v2 = servers
    await gateway.publish(lab.churn(v1.backend, shadow=lab.Shadow(v2.backend, percent)))
    caller = gateway.caller()
    return [await asyncio.wait_for(caller.ask("churn.demo", f"u{i}"), 2) for i in range(100)]


async def test_a_shadow_gets_a_copy_of_every_request(lab: Any, gateway: Any, servers: Any) -> None:
    answers = await shadowed(lab, gateway, servers)
    assert {(a.status, a.version, a.arm) for a in answers} == {(200, "v1", "none")}
    await lab.until(lambda: len(servers[1].received) == 100)
    assert {request["x-user-id"] for request in servers[1].received} == {f"u{i}" for i in range(100)}
    assert {request["host"] for request in servers[1].received} == {"churn.demo"}
    assert {(r["served"], r["version"]) for r in await gateway.log(100)} == {("champion", "v1")}


@pytest.mark.parametrize("mode", ["error", "crash", "hang"])
async def test_whatever_a_shadow_does_callers_do_not_notice(
    lab: Any, gateway: Any, servers: Any, mode: str
) -> None:
    servers[1].mode = mode
    answers = await shadowed(lab, gateway, servers)
    assert {(a.status, a.version) for a in answers} == {(200, "v1")}
    assert {(r["attempts"], r["status"]) for r in await gateway.log(100)} == {(1, 200)}


async def test_a_share_of_the_requests_is_a_share(lab: Any, gateway: Any, servers: Any) -> None:
    await shadowed(lab, gateway, servers, percent=30)
    await lab.until(lambda: len(servers[1].received) >= 10)
    assert 10 <= len(servers[1].received) <= 52, "99.999 % of a binomial with n = 100 and p = 0.3"


async def test_a_shadow_that_is_gone_harms_nobody(lab: Any, gateway: Any, servers: Any) -> None:
    await servers[1].stop()
    assert {a.status for a in await shadowed(lab, gateway, servers)} == {200}
