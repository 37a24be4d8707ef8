"""The acceptance scenarios of traffic, by their names, through a real Envoy."""

from typing import Any

import pytest
from scipy.stats import binom, chisquare

from assay_assign import Interval, arm_at, slot, table
from assay_operator.gateway import ArmRoute, Split

UNITS = [f"user-{n}" for n in range(2_000)]
EQUAL = {"control": 50, "boosted": 50}


def split(servers: Any, weights: dict[str, int], intervals: tuple[Interval, ...], epoch: int = 1) -> Split:
    v1, v2 = servers
    arms = tuple(ArmRoute(name, (v2 if at else v1).backend) for at, name in enumerate(weights))
    return Split("exp-1", epoch, "x-user-id", arms, intervals)


async def ask(gateway: Any, units: list[str | None]) -> list[Any]:
    heads = ["" if unit is None else f"x-user-id: {unit}\r\n" for unit in units]
    requests = [f"GET /p HTTP/1.1\r\nhost: churn.demo\r\n{head}\r\n".encode() for head in heads]
    caller, answers = gateway.caller(), []
    for at in range(0, len(requests), 50):
        answers += await caller.send(requests[at : at + 50])
    return answers


async def test_scenario_1_the_split_is_the_declared_one(lab: Any, gateway: Any, servers: Any) -> None:
    servers[1].mode = "error"
    running = split(servers, EQUAL, table(EQUAL, 20))
    await gateway.publish(lab.churn(servers[0].backend, running, retry_executed=False))
    failed = sum(answer.status == 500 for answer in await ask(gateway, [*UNITS]))
    low, high = binom.interval(0.9999, len(UNITS), 0.2)
    assert low <= failed <= high


@pytest.mark.parametrize(
    "weights", [{"control": 10, "b": 90}, {"control": 25, "b": 75}, {"control": 20, "b": 30, "c": 50}]
)
async def test_scenario_2_the_hash_is_fair_for_every_ratio(
    lab: Any, gateway: Any, servers: Any, weights: dict[str, int]
) -> None:
    running = split(servers, weights, table(weights, 100 - weights["control"]))
    await gateway.publish(lab.churn(servers[0].backend, running))
    arms = [answer.arm for answer in await ask(gateway, [*UNITS])]
    counts = [arms.count(name) for name in weights]
    assert chisquare(counts, [len(UNITS) * weight / 100 for weight in weights.values()]).pvalue > 1e-4


async def test_scenario_4_sticky_between_steps_and_honest_about_strangers(
    lab: Any, gateway: Any, servers: Any
) -> None:
    before: list[str] = []
    for epoch, percent in enumerate((5, 20, 50)):
        await gateway.publish(
            lab.churn(servers[0].backend, split(servers, EQUAL, table(EQUAL, percent), epoch))
        )
        rounds = [[a.arm for a in await ask(gateway, [*UNITS[:200]])] for _ in range(5)]
        assert all(arms == rounds[0] for arms in rounds), "no step in between, no other arm"
        moved = [(a, b) for a, b in zip(before, rounds[0], strict=False) if a not in (b, "unenrolled")]
        assert moved == []
        before = rounds[0]
    strangers = await ask(gateway, [None] * 100)
    assert {(a.status, a.arm, a.version) for a in strangers} == {(200, "none", "v1")}
    records = await gateway.log(3 * 5 * 200 + 100)
    assert sum(r["assigned"] == "none" and r["experiment"] is None for r in records) == 100


async def test_scenario_5_weights_replace_they_do_not_add_up(lab: Any, gateway: Any, servers: Any) -> None:
    await gateway.publish(lab.churn(servers[0].backend, split(servers, EQUAL, table(EQUAL, 50))))
    assert {a.version for a in await ask(gateway, [*UNITS[:200]])} == {"v1", "v2"}
    none = (Interval("control", 0, 5000),)
    await gateway.publish(lab.churn(servers[0].backend, split(servers, EQUAL, none, epoch=2)))
    answers = await ask(gateway, [*UNITS[:1000]])
    assert {a.version for a in answers} == {"v1"}
    expected = [arm_at(none, slot("exp-1", unit)) or "unenrolled" for unit in UNITS[:1000]]
    assert [a.arm for a in answers] == expected
