"""Composition root: settings, clients, metrics, signals."""

import logging
import signal
import sys
import threading

import httpx
from prometheus_client import start_http_server
from pydantic import ValidationError

from assay_shipper.delivery import Delivery
from assay_shipper.loop import Shipper
from assay_shipper.settings import PREFIX, Settings
from assay_shipper.telemetry import Telemetry

TIMEOUT = httpx.Timeout(15, connect=2)
ADMIN_TIMEOUT = httpx.Timeout(2)


def run(settings: Settings, stop: threading.Event) -> None:
    """Ship until `stop` is set, and what is left then."""
    telemetry = Telemetry()
    server, thread = start_http_server(settings.listen_port, registry=telemetry.registry)
    headers = {"User-Agent": "assay-shipper", "X-Assay-Pod": settings.pod}
    with httpx.Client(base_url=settings.collector_url, headers=headers, timeout=TIMEOUT) as collector:
        delivery = Delivery(collector, settings.token_file, telemetry)
        if settings.envoy_admin is None:
            Shipper(settings, delivery, None, telemetry).run(stop)
        else:
            with httpx.Client(base_url=settings.envoy_admin, timeout=ADMIN_TIMEOUT) as admin:
                Shipper(settings, delivery, admin, telemetry).run(stop)
    server.shutdown()
    server.server_close()
    thread.join()


def main() -> None:
    """Run the shipper."""
    try:
        settings = Settings.of()
    except ValidationError as error:
        for each in error.errors(include_input=False, include_url=False):
            print(f"{PREFIX}{str(each['loc'][0]).upper()}: {each['msg']}", file=sys.stderr)
        raise SystemExit(2) from error
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run(settings, stop)
