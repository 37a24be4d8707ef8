"""A candidate for a Lease as a process of its own: `python candidate_process.py NAMESPACE NAME IDENTITY`.

Prints `held` or `lost` with the machine's clock at each change, as the fence says it, every 2 ms.
SIGTERM: it stops acting, releases the Lease and ends.
"""

import asyncio
import signal
import sys

from assay_api import Ref
from assay_operator.kube.lease import Leadership, boot_clock
from assay_operator.kube.lease_client import lease_at

LOOK_SECONDS = 0.002


async def watch(leadership: Leadership) -> None:
    """Print each change of what the fence says."""
    before = False
    while True:
        held, now = leadership.held(), boot_clock()
        if held != before:
            until = now + leadership.remaining()
            print("held" if held else "lost", f"{now:.6f}", f"{until:.6f}", flush=True)
            before = held
        await asyncio.sleep(LOOK_SECONDS)


async def main(namespace: str, name: str, identity: str) -> None:
    """Compete until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with lease_at(Ref(namespace, name)) as client, asyncio.TaskGroup() as tasks:
        leadership = Leadership(client, identity)
        tasks.create_task(leadership.run())
        watcher = tasks.create_task(watch(leadership))
        print("ready", flush=True)
        await stop.wait()
        await leadership.release()
        await asyncio.sleep(2 * LOOK_SECONDS)
        watcher.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
