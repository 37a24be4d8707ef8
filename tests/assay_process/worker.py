"""A process made of the kit alone: `python worker.py threads|asyncio` serves metrics until it is stopped."""

import asyncio
import logging
import sys

from prometheus_client import CollectorRegistry, Gauge

from assay_process import logs, settings
from assay_process.metrics import metrics_server
from assay_process.settings import LogLevel, settings_or_exit
from assay_process.signals import async_stop_event, stop_event


class Settings(settings.Settings):
    """Of this process."""

    listen_port: int = 0
    log_level: LogLevel = "INFO"


async def wait() -> None:
    """Wait for a signal."""
    stop = async_stop_event()
    print("ready", flush=True)
    await stop.wait()


def main() -> None:
    """Serve."""
    found = settings_or_exit(Settings)
    logs.configure(found.log_level, quiet=["chatty"])
    registry = CollectorRegistry()
    Gauge("assay_worker_up", "Whether it is here", registry=registry).set(1)
    with metrics_server(found.listen_port, registry) as port:
        print(port, flush=True)
        logging.getLogger("chatty").info("too much")
        logging.getLogger("worker").info("serving")
        if sys.argv[1] == "asyncio":
            asyncio.run(wait())
        else:
            stop = stop_event()
            print("ready", flush=True)
            stop.wait()
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
