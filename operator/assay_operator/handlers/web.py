"""The operator's own HTTP port: health, metrics, alerts."""

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import uvicorn
from prometheus_client import REGISTRY, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_age = Gauge("assay_watch_age_seconds", "Since the newest event of a kind.", ["resource"])


STUCK_AFTER = 180.0  # seconds without a sweep; a sweep is every 10


class Pulse(Protocol):
    """What tells that the operator is alive."""

    last_event: dict[str, float]  # monotonic time of the newest event, by kind
    last_sweep: float  # monotonic time of the end of the newest sweep


def application(pulse: Pulse, alerts: Callable[[Request], Awaitable[Response]]) -> Starlette:
    """Return the ASGI application; `alerts` answers Alertmanager. It is served when the gateways are."""

    async def healthz(_: Request) -> Response:
        """The process is alive: it looked at all Models lately."""
        quiet = time.monotonic() - pulse.last_sweep
        if quiet > STUCK_AFTER:
            return PlainTextResponse(f"no sweep for {quiet:.0f} s, {STUCK_AFTER:.0f} s are allowed", 500)
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        """Gateways may connect."""
        return PlainTextResponse("ok")

    async def post(request: Request) -> Response:
        """Alerts of Alertmanager, as its webhook sends them."""
        return await alerts(request)

    async def metrics(_: Request) -> Response:
        """Metrics for Prometheus."""
        now = time.monotonic()
        for kind, last in list(pulse.last_event.items()):
            _age.labels(kind).set(now - last)
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/v1/alerts", post, methods=["POST"]),
        ]
    )


def server(app: Starlette, port: int) -> uvicorn.Server:
    """Return a server for our own loop; signals are kopf's."""
    config = uvicorn.Config(app, host="0.0.0.0", port=port, log_config=None, access_log=False, lifespan="off")
    quiet = uvicorn.Server(config)
    quiet.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    return quiet
