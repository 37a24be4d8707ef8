"""The operator's own HTTP port: health, metrics, alerts."""

import time
from collections.abc import Awaitable, Callable, Mapping

import uvicorn
from prometheus_client import REGISTRY, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

_age = Gauge("assay_watch_age_seconds", "Since the newest event of a kind.", ["resource"])


def application(
    last_event: Mapping[str, float],
    ready: Callable[[], bool],
    alerts: Callable[[Request], Awaitable[Response]],
) -> Starlette:
    """Return the ASGI application.

    Args:
        last_event: Monotonic time of the newest event, by kind.
        ready: Whether gateways are being served.
        alerts: Answers Alertmanager.
    """

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        return PlainTextResponse("ok") if ready() else PlainTextResponse("starting", 503)

    async def metrics(_: Request) -> Response:
        now = time.monotonic()
        for kind, seen in list(last_event.items()):
            _age.labels(kind).set(now - seen)
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/v1/alerts", alerts, methods=["POST"]),
        ]
    )


def server(app: Starlette, port: int) -> uvicorn.Server:
    """Return a server for our own loop; signals are kopf's."""
    config = uvicorn.Config(app, host="0.0.0.0", port=port, log_config=None, access_log=False, lifespan="off")
    quiet = uvicorn.Server(config)
    quiet.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    return quiet
