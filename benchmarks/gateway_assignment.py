"""Every unit's arm, as Envoy chose it and as `assay_assign` computes it: 100,000 ids, five tables.

Run: `python benchmarks/gateway_assignment.py [--units 100000]`. Bar: 100 %.
"""

import argparse
import asyncio
import collections
import random
import re
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from gateway_bench import Socket, laboratory, request, upstreams

from assay_assign import Interval, arm_at, slot, table
from assay_operator.gateway import ArmRoute, Split

lab = laboratory()
ARM = re.compile(rb"x-assay-arm: ([^\r]+)\r\n")
BATCH = 100
THREE = {"control": 40, "b": 40, "c": 20}
TABLES = {
    "two arms, all enrolled": table({"control": 50, "boosted": 50}, 50),
    "two arms at 5 %": table({"control": 50, "boosted": 50}, 5),
    "one slot": (Interval("boosted", 7777, 7778),),
    "three arms at 15 %": table(THREE, 15),
    "three arms at 60 %": table(THREE, 60),
}


def ids(count: int) -> list[str]:
    """Return integers, UUIDs, addresses, other alphabets, junk, and one in a hundred of 8 kB."""
    rng = random.Random(7)
    shapes = (
        str,
        lambda _: str(uuid.UUID(int=rng.getrandbits(128))),
        lambda i: f"a{i}.b+c@mail.example",
        lambda i: f"Łódź-東京-{i}-🦀",
        lambda _: "%E2%82%AC$^\\1" + hex(rng.getrandbits(200))[2:],
    )
    return [f"{i}-" + "junk " * 1600 + "!" if i % 100 == 99 else shapes[i % 5](i) for i in range(count)]


def arms(port: int, units: list[str]) -> list[str]:
    """Return the arm of each unit, as Envoy said it."""
    one, found = Socket(port).connection, []
    for start in range(0, len(units), BATCH):
        batch = [request(unit) for unit in units[start : start + BATCH]]
        one.sendall(b"".join(batch))
        buffer = b""
        while buffer.count(b"\r\n\r\nv") < len(batch) or not buffer.endswith(b"\n"):
            buffer += one.recv(1 << 20)
        found += [arm.decode() for arm in ARM.findall(buffer)]
    one.close()
    return found


async def main(count: int) -> None:
    """Ask for every unit in every table."""
    units = ids(count)
    with tempfile.TemporaryDirectory() as name, upstreams(lab, Path(name), "v1", "v2") as backends:
        async with lab.gateway(Path(name)) as gateway:
            for case, intervals in TABLES.items():
                await gateway.publish(lab.churn(backends["v1"], split(backends, intervals)))
                start = time.perf_counter()
                assigned = await asyncio.to_thread(arms, gateway.edge.port, units)
                rate = count / (time.perf_counter() - start)
                wanted = [arm_at(intervals, slot("exp-1", unit)) or "unenrolled" for unit in units]
                equal = sum(a == b for a, b in zip(assigned, wanted, strict=True))
                print(
                    f"{case:24s} {equal} of {count} equal, {rate:.0f}/s {dict(collections.Counter(assigned))}"
                )
                assert equal == count


def split(backends: dict[str, Any], intervals: tuple[Interval, ...]) -> Split:
    """Return an Experiment with this table; the control is version 1, everybody else version 2."""
    candidates = sorted({interval.arm for interval in intervals} - {"control"})
    routes = (ArmRoute("control", backends["v1"]), *(ArmRoute(arm, backends["v2"]) for arm in candidates))
    return Split("exp-1", 1, "x-user-id", routes, intervals)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--units", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().units))
