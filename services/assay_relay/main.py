"""Composition root: settings, metrics, signals."""

import asyncio
import logging
import signal
import sys

from prometheus_client import start_http_server
from pydantic import ValidationError

from assay_relay.server import Relay
from assay_relay.settings import PREFIX, Settings
from assay_relay.telemetry import Telemetry


async def run(settings: Settings, telemetry: Telemetry) -> None:
    """Relay until a signal says stop."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Relay(settings, telemetry).run(stop)


def main() -> None:
    """Run the relay."""
    try:
        settings = Settings.of()
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            print(f"{PREFIX}{str(each['loc'][0]).upper()}: {each['msg']}", file=sys.stderr)
        raise SystemExit(2) from error
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    telemetry = Telemetry()
    server, thread = start_http_server(settings.listen_port, registry=telemetry.registry)
    asyncio.run(run(settings, telemetry))
    server.shutdown()
    server.server_close()
    thread.join()
