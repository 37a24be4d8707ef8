"""What Models cost an Envoy that nobody calls: memory, and CPU when all is acknowledged.

Run: `python benchmarks/gateway_memory.py [--models 1000] [--without-services]`. Each Model runs an Experiment
of two versions with two pods each, of which none exists; behind each is its Service, unless left out.
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from gateway_bench import laboratory

from assay_api import Ref

lab = laboratory()
IDLE_SECONDS = 20.0
PATIENCE_SECONDS = 300.0


def backend(version: int, model: int, *, service: bool) -> Any:
    """Return a version with addresses of its own."""
    high, low = divmod(model, 250)
    pods = tuple(lab.Endpoint(f"10.{version}.{high}.{low + 1}", 3000 + pod) for pod in range(2))
    return lab.Backend(
        f"v{version}", pods, lab.Endpoint(f"10.1{version}.{high}.{low + 1}", 80) if service else None
    )


def route(model: int, *, service: bool) -> Any:
    """Return a Model in the middle of an Experiment."""
    one, two = (backend(version, model, service=service) for version in (1, 2))
    return lab.ModelRoute("demo", f"m{model}", one, lab.split({"control": one, "boosted": two}, 50))


async def main(models: int, *, service: bool) -> None:
    """Publish all, wait until they are in force, and look."""
    with tempfile.TemporaryDirectory() as folder:
        async with lab.gateway(Path(folder)) as gateway:
            await gateway.publish(route(0, service=service))
            alone, begin = gateway.envoy.rss_bytes(), time.monotonic()
            for model in range(1, models):
                await gateway.ads.publish(Ref("demo", f"m{model}"), route(model, service=service))
            last = await gateway.ads.wait_programmed(Ref("demo", f"m{models - 1}"), PATIENCE_SECONDS)
            took = time.monotonic() - begin
            await asyncio.sleep(2)
            before = gateway.envoy.cpu_seconds()
            await asyncio.sleep(IDLE_SECONDS)
            idle = (gateway.envoy.cpu_seconds() - before) / IDLE_SECONDS
            print(f"{models} Models, {last.message}, after {took:.1f} s")
            memory = gateway.envoy.rss_bytes()
            print(f"memory {alone / 2**20:.0f} -> {memory / 2**20:.0f} MiB, idle CPU {idle:.2%}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--without-services", action="store_true")
    options = parser.parse_args()
    asyncio.run(main(options.models, service=not options.without_services))
