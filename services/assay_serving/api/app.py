"""The routes, as one Starlette app that any ASGI server can run; it knows nothing of BentoML."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp as App
from starlette.types import Receive, Scope, Send

from assay_serving.api.open_inference import Protocol
from assay_serving.api.openapi import openapi
from assay_serving.api.schema import explanations, schema
from assay_serving.codec import formats
from assay_serving.codec.bodies import JSON, Json, RequestReader
from assay_serving.metrics import RouteMetrics
from assay_serving.problems import Problem
from assay_serving.version import State

log = logging.getLogger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
GONE = 499
FAILED = 500
KINDS = formats.readable() | {JSON}


def application(state: State) -> App:
    """Return the app that serves what is in `state`; predictions take the shortest way to their handler."""
    routes = Routes(state)
    predict = routes.measured("/predict", routes.predict)
    others = _starlette(state, routes, predict)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/predict" and scope["method"] == "POST":
            response = await predict(Request(scope, receive, send))
            await response(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


def _starlette(state: State, routes: "Routes", predict: Handler) -> Starlette:
    return Starlette(
        routes=[
            Route("/predict", predict, methods=["POST"]),
            Route("/explain", routes.measured("/explain", routes.explain), methods=["POST"]),
            Route("/openapi.json", routes.plain(routes.openapi)),
            Route("/schema", routes.plain(routes.schema)),
            Route("/livez", routes.live),
            Route("/readyz", routes.ready),
            Route("/metrics", routes.plain(routes.metrics)),
            *Protocol(state).routes(routes.measured, routes.plain),
        ],
        exception_handlers={404: _not_found, 405: _not_allowed},
    )


def answer(value: Any, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type=JSON)


class Routes:
    """One method for each route."""

    def __init__(self, state: State) -> None:
        """Serve what is in `state`."""
        self.state = state

    async def predict(self, request: Request) -> Response:
        """Answer named raw rows."""
        version, incoming = self.state.served(), RequestReader(request.scope, request.receive)
        kind = incoming.media_type(KINDS)
        body = await incoming.body(version.settings.max_body_bytes)
        if kind == JSON:
            table, ignored = version.reader.read(body)
        else:
            table, ignored = formats.read(kind, body, version.manifest.features, version.settings.max_rows)
        prediction = await version.predict(table, incoming.patience())
        identity = version.identities.of(incoming.header(b"x-request-id"))
        return Json(version.writer.write(prediction, identity, ignored))

    async def explain(self, request: Request) -> Response:
        """Say what each feature adds to the score."""
        version, incoming = self.state.served(), RequestReader(request.scope, request.receive)
        incoming.media_type(frozenset({JSON}))
        body = await incoming.body(version.settings.max_body_bytes)
        table, _ = version.reader.read(body)
        explanation, classes = await version.explain(table)
        return answer(explanations(version, explanation, classes))

    async def schema(self, _: Request) -> Response:
        """Say what a row must look like and what comes back."""
        return answer(schema(self.state.served()))

    async def openapi(self, _: Request) -> Response:
        """Describe the routes to tools."""
        return answer(openapi(self.state.served()))

    async def live(self, _: Request) -> Response:
        """The process answers."""
        return answer({"live": True})

    async def ready(self, _: Request) -> Response:
        """New requests may come."""
        ready = self.state.ready
        return answer({"ready": ready, "draining": self.state.draining}, 200 if ready else 503)

    async def metrics(self, _: Request) -> Response:
        """Return the page that Prometheus reads."""
        metrics = self.state.served().metrics
        metrics.in_flight.set(self.state.in_flight)
        return Response(metrics.page(), media_type=CONTENT_TYPE_LATEST)

    def plain(self, handler: Handler) -> Handler:
        """Turn problems into answers."""

        async def plain(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as problem:
                return problem.response()

        return plain

    def measured(self, template: str, handler: Handler) -> Handler:
        """Turn whatever happens into an answer, and count it."""
        series: RouteMetrics | None = None

        async def measured(request: Request) -> Response:
            nonlocal series
            if series is None and self.state.version:
                series = self.state.version.metrics.route(template)
            start = time.perf_counter()
            self.state.in_flight += 1
            try:
                response = await _answered(template, handler, request)
            finally:
                self.state.in_flight -= 1
            if series:
                series.count(response.status_code, time.perf_counter() - start)
            return response

        return measured


async def _answered(template: str, handler: Handler, request: Request) -> Response:
    try:
        return await handler(request)
    except Problem as problem:
        if problem.status == FAILED:
            log.warning("%s failed: %s", template, problem)
        return problem.response()
    except ClientDisconnect:
        return Response(status_code=GONE)
    except Exception:  # the boundary: whatever it was, the client gets an answer and we get the trace
        log.exception("%s failed", template)
        return Problem(500, "internal", "the model failed on these rows; the reason is in the log").response()


async def _not_found(request: Request, _: Exception) -> Response:
    return Problem(404, "not-found", f"there is no {request.url.path}").response()


async def _not_allowed(request: Request, _: Exception) -> Response:
    return Problem(405, "method", f"{request.url.path} does not take {request.method}").response()
