"""Composition root: settings, clients, metrics, signals."""

import threading

import httpx

from assay_process import logs
from assay_process.metrics import metrics_server
from assay_process.settings import settings_or_exit
from assay_process.signals import stop_event
from assay_shipper.delivery import Delivery
from assay_shipper.loop import Shipper
from assay_shipper.settings import Settings
from assay_shipper.telemetry import Telemetry

TIMEOUT = httpx.Timeout(15, connect=2)
ADMIN_TIMEOUT = httpx.Timeout(2)


def run(settings: Settings, stop: threading.Event) -> None:
    """Ship until `stop` is set, and what is left then."""
    telemetry = Telemetry()
    headers = {"User-Agent": "assay-shipper", "X-Assay-Pod": settings.pod}
    with (
        metrics_server(settings.listen_port, telemetry.registry),
        httpx.Client(base_url=settings.collector_url, headers=headers, timeout=TIMEOUT) as collector,
    ):
        delivery = Delivery(collector, settings.token_file, telemetry)
        if settings.envoy_admin is None:
            Shipper(settings, delivery, None, telemetry).run(stop)
        else:
            with httpx.Client(base_url=settings.envoy_admin, timeout=ADMIN_TIMEOUT) as admin:
                Shipper(settings, delivery, admin, telemetry).run(stop)


def main() -> None:
    """Run the shipper."""
    settings = settings_or_exit(Settings)
    logs.configure(settings.log_level, quiet=["httpx"])
    run(settings, stop_event())
