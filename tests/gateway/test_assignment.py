"""The arm that Envoy chose is the arm that anybody can recompute, unit by unit; a real Envoy."""

import collections
import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from assay_assign import Interval, arm_at, decode, encode, slot, table
from assay_operator.gateway import ArmRoute, Split

COUNT = 2_000
EQUAL = {"control": 50, "boosted": 50}
THREE = {"control": 40, "b": 40, "c": 20}
TABLES = {
    "two arms, all enrolled": table(EQUAL, 50),
    "two arms at 5 %": table(EQUAL, 5),
    "one slot for the candidate": (Interval("boosted", 7777, 7778),),
    "three arms at 15 %": table(THREE, 15),
    "unequal arms at 1 %": table({"control": 90, "boosted": 10}, 1),
    "nobody": (),
}


def ids(count: int) -> list[str]:
    """Integers, names, UUIDs, addresses, junk, other alphabets, and some that are very long."""
    rng = random.Random(7)
    shapes: list[Callable[[int], str]] = [
        str,
        lambda i: f"user-{i:08d}",
        lambda _: str(uuid.UUID(int=rng.getrandbits(128))),
        lambda i: f"a{i}.b+c@mail.example",
        lambda _: "%E2%82%AC$^\\1-\\0" + hex(rng.getrandbits(200))[2:],
        lambda i: f"Łódź-東京-{i}-🦀",
        lambda i: f"has {i} spaces; and = \"quotes\" / slashes \\ <&> 'too'",
    ]
    units = [shapes[i % len(shapes)](i) for i in range(count)]
    return [*units, *(f"{i}-" + "junk!" * 1600 for i in range(5))]


def experiment(servers: Any, intervals: tuple[Interval, ...], uid: str = "exp-1", epoch: int = 1) -> Split:
    v1, v2 = servers
    candidates = sorted({i.arm for i in intervals} - {"control"}) or ["boosted"]
    arms = [ArmRoute("control", v1.backend), *(ArmRoute(arm, v2.backend) for arm in candidates)]
    return Split(uid, epoch, "x-user-id", tuple(arms), intervals)


def request(unit: str) -> bytes:
    return f"GET /p HTTP/1.1\r\nhost: churn.demo\r\nx-user-id: {unit}\r\n\r\n".encode()


async def arms_of(caller: Any, units: list[str]) -> list[str]:
    answers = []
    for at in range(0, len(units), 50):
        answers += await caller.send([request(unit) for unit in units[at : at + 50]])
    assert {answer.status for answer in answers} == {200}
    return [answer.arm for answer in answers]


@pytest.mark.parametrize("intervals", TABLES.values(), ids=TABLES)
async def test_envoy_and_the_formula_agree_on_every_unit(
    lab: Any, gateway: Any, servers: Any, intervals: tuple[Interval, ...]
) -> None:
    await gateway.publish(lab.churn(servers[0].backend, experiment(servers, intervals)))
    units = ids(COUNT)
    expected = [arm_at(intervals, slot("exp-1", unit)) or "unenrolled" for unit in units]
    assert await arms_of(gateway.caller(), units) == expected


async def test_the_log_says_who_saw_what_so_that_it_can_be_recomputed(
    lab: Any, gateway: Any, servers: Any
) -> None:
    intervals = table(EQUAL, 20)
    await gateway.publish(lab.churn(servers[0].backend, experiment(servers, intervals, epoch=3)))
    units = ids(200)
    assigned = await arms_of(gateway.caller(), units)
    log = {record["unit"]: record for record in await gateway.log(len(units))}
    assert [log[unit]["assigned"] for unit in units] == assigned
    served = {"control": "control", "boosted": "boosted", "unenrolled": "champion"}
    for unit, record in log.items():
        assert (record["experiment"], record["epoch"], record["table"]) == ("exp-1", "3", encode(intervals))
        assert (arm_at(decode(record["table"]), slot("exp-1", unit)) or "unenrolled") == record["assigned"]
        assert record["served"] == served[record["assigned"]]
        assert record["version"] == ("v2" if record["assigned"] == "boosted" else "v1")
        assert (record["status"], record["attempts"], record["flags"]) == (200, 1, "-")
        assert record["dur_us"] > 0
        assert float(record["ts"]) > 1.7e9
    assert len({record["id"] for record in log.values()}) == len(units)


async def test_no_unit_changes_its_arm_while_the_ramp_goes_up(lab: Any, gateway: Any, servers: Any) -> None:
    units, before = ids(1_000), ["unenrolled"] * 1_005
    caller = gateway.caller()
    for epoch, percent in enumerate((5, 10, 20, 60)):
        split = experiment(servers, table(THREE, percent), epoch=epoch)
        await gateway.publish(lab.churn(servers[0].backend, split))
        now = await arms_of(caller, units)
        assert {(a, b) for a, b in zip(before, now, strict=True) if a not in (b, "unenrolled")} == set()
        before = now
    assert set(before) == {"control", "b", "c"}


async def test_two_experiments_split_independently(lab: Any, gateway: Any, servers: Any) -> None:
    units = ids(4_000)
    columns = []
    for uid in ("exp-1", "exp-2"):
        split = experiment(servers, table(EQUAL, 50), uid=uid)
        await gateway.publish(lab.churn(servers[0].backend, split))
        columns.append(await arms_of(gateway.caller(), units))
    both = collections.Counter(zip(*columns, strict=True))
    rows, cols = (collections.Counter(column) for column in columns)
    expected = {(a, b): rows[a] * cols[b] / len(units) for a, b in both}
    assert len(both) == 4
    assert sum((both[cell] - expected[cell]) ** 2 / expected[cell] for cell in both) < 15.1  # p = 1e-4, 1 df


async def test_a_unit_keeps_its_arm_through_two_gateways_a_kill_and_an_operator_restart(
    lab: Any, gateway: Any, servers: Any
) -> None:
    route = lab.churn(servers[0].backend, experiment(servers, table(EQUAL, 50)))
    await gateway.publish(route)
    units = ids(60)
    expected = await arms_of(gateway.caller(), units)
    ref = lab.Ref("demo", "churn")
    with lab.envoy(gateway.folder, gateway.xds_port, "edge-2") as second:
        await lab.until(lambda: gateway.ads.programmed(ref).message == "2 of 2 gateways acknowledged")
        for _ in range(6):  # both listen on the same port; the kernel deals the connections out
            assert await arms_of(gateway.caller(), units) == expected
        await gateway.restart_operator(route)
        gateway.envoy.kill()
        for _ in range(7):
            assert await arms_of(gateway.caller(), units) == expected
        second.kill()
        gateway.envoy.start()
        await lab.until(gateway.ready)
        for _ in range(7):
            assert await arms_of(gateway.caller(), units) == expected


async def test_bytes_that_are_no_text_are_no_unit(lab: Any, gateway: Any, servers: Any) -> None:
    """Envoy would hash the bytes and log other characters, and an audit would find fault with the split."""
    await gateway.publish(lab.churn(servers[0].backend, experiment(servers, table(EQUAL, 50))))
    odd = [
        b"\xff\xfe",
        b"caf\xe9",
        b"\xe2(\xa1",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"ok\x80",
    ]
    head = b"GET /p HTTP/1.1\r\nhost: churn.demo\r\nx-user-id: "
    answers = await gateway.caller().send([head + unit + b"\r\n\r\n" for unit in odd])
    assert [(answer.status, answer.arm) for answer in answers] == [(200, "none")] * len(odd)
    assert {record["unit"] for record in await gateway.log(len(odd))} == {None}
