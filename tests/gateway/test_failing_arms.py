"""Whatever is wrong with a candidate, callers get the champion's answer and the log tells; a real Envoy."""

import asyncio
from typing import Any

import pytest

from assay_assign import arm_at, slot, table

EQUAL = table({"control": 50, "boosted": 50}, 50)
UNITS = [f"u{i}" for i in range(60)]
BOOSTED = {unit for unit in UNITS if arm_at(EQUAL, slot("exp-1", unit)) == "boosted"}


def route(lab: Any, servers: Any, **extra: Any) -> Any:
    v1, v2 = servers
    return lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": v2.backend}), **extra)


async def ask_all(gateway: Any) -> dict[str, Any]:
    callers = [gateway.caller() for _ in range(10)]

    async def some(at: int) -> list[tuple[str, Any]]:
        return [(unit, await callers[at].ask("churn.demo", unit)) for unit in UNITS[at::10]]

    return {unit: answer for part in await asyncio.gather(*map(some, range(10))) for unit, answer in part}


async def covered(gateway: Any, count: int = len(UNITS)) -> set[str]:
    """Units whose line in the log says that the arm did not serve them at once."""
    log = (await gateway.log(count))[-len(UNITS) :]
    return {r["unit"] for r in log if r["served"] != r["assigned"] or r["attempts"] > 1}


@pytest.mark.parametrize("mode", ["error", "unavailable", "crash", "hang"])
async def test_a_candidate_that_misbehaves_is_answered_by_the_champion(
    lab: Any, gateway: Any, servers: Any, mode: str
) -> None:
    await gateway.publish(route(lab, servers, timeout_seconds=1.0))
    servers[1].mode = mode
    answers = await ask_all(gateway)
    assert {(a.status, a.version) for a in answers.values()} == {(200, "v1")}
    assert {unit for unit, answer in answers.items() if answer.arm == "boosted"} == BOOSTED
    assert await covered(gateway) == BOOSTED


async def test_a_candidate_that_is_gone_is_answered_by_the_champion(
    lab: Any, gateway: Any, servers: Any
) -> None:
    await gateway.publish(route(lab, servers))
    await servers[1].stop()
    assert {(a.status, a.version) for a in (await ask_all(gateway)).values()} == {(200, "v1")}
    assert await covered(gateway) == BOOSTED


async def test_a_candidate_without_endpoints_is_answered_by_the_champion(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, _ = servers
    await gateway.publish(
        lab.churn(v1.backend, lab.split({"control": v1.backend, "boosted": lab.Backend("v2")}))
    )
    assert {(a.status, a.version) for a in (await ask_all(gateway)).values()} == {(200, "v1")}
    assert await covered(gateway) == BOOSTED


async def test_a_candidate_that_fails_for_some_fails_for_nobody_else(
    lab: Any, gateway: Any, servers: Any
) -> None:
    await gateway.publish(route(lab, servers))
    servers[1].fails = set(sorted(BOOSTED)[: len(BOOSTED) // 2])
    for count in range(1, 6):  # many failures in a row must not set the healthy majority's server aside
        answers = await ask_all(gateway)
        assert {a.status for a in answers.values()} == {200}
        assert await covered(gateway, count * len(UNITS)) == servers[1].fails
    assert {u for u, a in answers.items() if a.version == "v2"} == BOOSTED - servers[1].fails


async def test_a_failing_candidate_comes_back_when_it_has_recovered(
    lab: Any, gateway: Any, servers: Any
) -> None:
    await gateway.publish(route(lab, servers))
    servers[1].mode = "unavailable"
    await ask_all(gateway)
    servers[1].mode = "ok"

    async def recovered() -> bool:
        return {u for u, a in (await ask_all(gateway)).items() if a.version == "v2"} == BOOSTED

    await lab.until(recovered, 20)


async def test_where_a_request_must_not_run_twice_a_failure_is_the_callers(
    lab: Any, gateway: Any, servers: Any
) -> None:
    await gateway.publish(route(lab, servers, retry_executed=False))
    servers[1].mode = "error"
    answers = await ask_all(gateway)
    assert {u for u, a in answers.items() if a.status == 500} == BOOSTED
    assert sum(servers[1].paths.values()) == len(BOOSTED)
    assert sum(servers[0].paths.values()) == len(UNITS) - len(BOOSTED)


async def test_where_a_request_must_not_run_twice_one_that_never_ran_is_still_covered(
    lab: Any, gateway: Any, servers: Any
) -> None:
    await gateway.publish(route(lab, servers, retry_executed=False))
    await servers[1].stop()
    assert {a.status for a in (await ask_all(gateway)).values()} == {200}


async def test_a_hanging_champion_ends_in_a_504_in_json(lab: Any, gateway: Any, servers: Any) -> None:
    await gateway.publish(lab.churn(servers[0].backend, timeout_seconds=0.3))
    servers[0].mode = "hang"
    answer = await gateway.caller().ask("churn.demo")
    assert answer.status == 504
    assert answer.json()["error"]["code"] == "ModelTimeout"


async def test_a_sole_champion_is_never_set_aside(lab: Any, gateway: Any, servers: Any) -> None:
    await gateway.publish(lab.churn(servers[0].backend))
    servers[0].mode = "unavailable"
    await ask_all(gateway)
    servers[0].mode = "ok"
    assert {a.status for a in (await ask_all(gateway)).values()} == {200}


async def test_one_champion_of_two_that_dies_costs_nobody_an_answer(
    lab: Any, gateway: Any, servers: Any
) -> None:
    v1, other = servers
    both = lab.Backend("v1", (*v1.backend.endpoints, *other.backend.endpoints))
    await gateway.publish(lab.churn(both))
    await other.stop()
    for _ in range(5):
        assert {a.status for a in (await ask_all(gateway)).values()} == {200}
