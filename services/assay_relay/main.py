"""Composition root: settings, metrics, signals."""

import asyncio

from assay_process import logs
from assay_process.metrics import metrics_server
from assay_process.settings import settings_or_exit
from assay_process.signals import async_stop_event
from assay_relay.server import Relay
from assay_relay.settings import Settings
from assay_relay.telemetry import Telemetry


async def run(settings: Settings, telemetry: Telemetry) -> None:
    """Relay until a signal says stop."""
    await Relay(settings, telemetry).run(async_stop_event())


def main() -> None:
    """Run the relay."""
    settings = settings_or_exit(Settings)
    logs.configure(settings.log_level)
    telemetry = Telemetry()
    with metrics_server(settings.listen_port, telemetry.registry):
        asyncio.run(run(settings, telemetry))
