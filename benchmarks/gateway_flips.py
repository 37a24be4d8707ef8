"""From `publish` to the first answer of the new arm, under load, and how many requests that costs.

Run: `python benchmarks/gateway_flips.py [--flips 500] [--models 1] [--direct]`. Bar: p50 <= 10 ms, 0 failed.
Besides one Model that flips at 10 Hz, `--models` others with a running Experiment share the gateway. Envoy
hears of a change through its relay, as in a pod; `--direct` leaves that out, to show the difference.
"""

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from gateway_bench import Load, laboratory, request, upstreams

from assay_assign import slot

lab = laboratory()
# Sees the candidate at 50 %, and the champion at 5 %.
UNIT = next(f"probe-{i}" for i in range(10_000) if 7000 <= slot("exp-1", f"probe-{i}") < 9000)


class Probe:
    """Asks for the arm of one unit, again and again."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def open(self) -> "Probe":
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def arm(self) -> str:
        """Return the arm that answers now."""
        self.writer.write(request(UNIT))
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await self.reader.readexactly(int(fields["content-length"]))
        return fields.get("x-assay-arm", head)


def route(backends: dict[str, Any], percent: float, epoch: int) -> Any:
    """Return the Model that flips."""
    arms = {"control": backends["v1"], "boosted": backends["v2"]}
    return lab.churn(backends["v1"], lab.split(arms, percent, epoch=epoch))


async def flip(gateway: Any, probe: Probe, new: Any, arm: str) -> tuple[float, float]:
    """Return the seconds until the arm answers, and until every gateway has acknowledged."""
    ref, start = lab.Ref("demo", "churn"), time.perf_counter()
    await gateway.ads.publish(ref, new)
    acknowledged = asyncio.create_task(gateway.ads.wait_programmed(ref, 10))
    while await probe.arm() != arm:
        if time.perf_counter() - start > 10:
            raise TimeoutError(arm)
    effect = time.perf_counter() - start
    assert (await acknowledged).done
    return effect, time.perf_counter() - start


def report(name: str, values: list[float]) -> None:
    """Print quantiles in milliseconds."""
    ms = sorted(1e3 * value for value in values)
    quantiles = [ms[0], statistics.median(ms), ms[int(0.9 * len(ms))], ms[int(0.99 * len(ms))], ms[-1]]
    print(f"{name}: min/p50/p90/p99/max " + " / ".join(f"{q:.1f}" for q in quantiles) + " ms")


@contextlib.asynccontextmanager
async def programmed(folder: Path, *, direct: bool) -> AsyncIterator[Any]:
    """Run a gateway, behind its relay or without one."""
    async with contextlib.AsyncExitStack() as stack:
        if direct:
            yield await stack.enter_async_context(lab.gateway(folder))
        else:
            gateway, _ = await stack.enter_async_context(lab.relayed(folder))
            yield gateway


async def main(flips: int, models: int, *, direct: bool) -> None:
    """Flip a Model under load."""
    with tempfile.TemporaryDirectory() as name, upstreams(lab, Path(name), "v1", "v2") as backends:
        async with programmed(Path(name), direct=direct) as gateway:
            start = time.perf_counter()
            for n in range(models - 1):
                other = route(backends, 20, 0)
                ref = lab.Ref("demo", f"m{n}")
                await gateway.ads.publish(ref, lab.ModelRoute(*ref, other.champion, other.split))
            await gateway.publish(route(backends, 5, 0), 60)
            print(f"{models} models programmed after {time.perf_counter() - start:.2f} s")
            load = await asyncio.to_thread(Load, gateway.edge.port)
            probe = await Probe(gateway.edge.port).open()
            effects, acknowledged = [], []
            for epoch in range(flips):
                percent, arm = ((50, "boosted"), (5, "unenrolled"))[epoch % 2]
                effect, done = await flip(gateway, probe, route(backends, percent, epoch + 1), arm)
                effects.append(effect)
                acknowledged.append(done)
                await asyncio.sleep(max(0.0, 0.1 - done))
            good, bad = await asyncio.to_thread(load.stop)
            report("publish -> first answer of the new arm", effects)
            report("publish -> acknowledged", acknowledged)
            print(f"requests under load: {good} answered, {bad} failed")
            print(f"gateway RSS: {gateway.envoy.rss_bytes() / 2**20:.0f} MiB")
            probe.writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--flips", type=int, default=500)
    parser.add_argument("--models", type=int, default=1)
    parser.add_argument("--direct", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.flips, arguments.models, direct=arguments.direct))
