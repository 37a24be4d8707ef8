"""The HTTP API: Starlette routes over the writer and the reading side of the store."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from assay_collector.api.body import Budget, read
from assay_collector.api.container import Collector
from assay_collector.api.lifespan import lifespan
from assay_collector.api.openapi import openapi
from assay_collector.api.tokens import Role
from assay_collector.batch import Batch
from assay_collector.parsing import answers, profiles, records
from assay_collector.problem import Problem, unavailable
from assay_collector.store import answers as answers_store
from assay_collector.store import summary
from assay_collector.store.profiles import WINDOW, summed
from assay_collector.telemetry import Telemetry

LONGEST_POLL = 60.0
PARSING = 16  # bodies that are records at the same time; the rest wait as bytes
PSEUDONYM = 32
LONGEST_UID = 253


class Api:
    """The routes."""

    def __init__(self, collector: Collector) -> None:
        """Serve this collector."""
        self._parts = collector
        self._budget = Budget()
        self._parsing = asyncio.Semaphore(PARSING)

    async def put_experiment(self, request: Request) -> Response:
        """PUT /v1/experiments/{uid}."""
        uid = _uid(request)
        answer = await self._write(request, lambda body: records.declared(uid, body), Role.OPERATOR)
        return _json({"changed": answer["changed"]})

    async def post_exposures(self, request: Request) -> Response:
        """POST /v1/exposures."""
        answer = await self._write(request, records.exposures, Role.GATEWAY)
        return _json({name: answer[name] for name in ("accepted", "duplicates", "unknown", "late")})

    async def post_outcomes(self, request: Request) -> Response:
        """POST /v1/outcomes."""
        if not (key := self._parts.unit_key.read()):
            raise unavailable("the collector has no key for pseudonyms: its file is missing or empty", 10)
        now = self._parts.writer.now()
        answer = await self._write(request, lambda body: records.outcomes(body, key, now), Role.APPLICATION)
        counts = {name: answer[name] for name in ("accepted", "duplicates", "unknown", "orphans", "late")}
        strangers = answer["unknown_metrics"]
        return _json(counts | ({"unknownMetrics": strangers} if strangers else {}))

    async def post_profiles(self, request: Request) -> Response:
        """POST /v1/profiles."""
        namespace = self._parts.tokens.namespace(request.headers.get("authorization", ""))
        answer = await self._written(request, lambda body: profiles.read(body, namespace))
        if answer["unknown"]:
            detail = "a column has other cells than before, or the namespace has too many versions' profiles"
            raise Problem(HTTPStatus.CONFLICT, detail)
        return _json({name: answer[name] for name in ("accepted", "duplicates", "late")})

    async def post_answers(self, request: Request) -> Response:
        """POST /v1/answers."""
        answer = await self._write(request, answers.read, Role.GATEWAY)
        return _json({name: answer[name] for name in ("accepted", "unknown", "late")})

    async def post_questions(self, request: Request) -> Response:
        """POST /v1/answers/sums: sums over seconds, one for each question, in their order."""
        self._parts.tokens.check(request.headers.get("authorization", ""), Role.OPERATOR)
        with self._budget.held() as share:
            queries = answers.queries(await read(request, self._parts.bounds, share))
        now = self._parts.writer.now() / 1e6
        sums = await self._read(
            request, lambda connection: [answers_store.summed(connection, each, now) for each in queries]
        )
        return _json({"sums": sums})

    async def get_profiles(self, request: Request) -> Response:
        """GET /v1/profiles/{namespace}/{model}/{version}: counts between two moments."""
        names = tuple(request.path_params[name] for name in ("namespace", "model", "version"))
        since, until = (_number(request, name, default) for name, default in (("since", 0), ("until", 1e11)))
        found = await self._read(
            request, lambda connection: summed(connection, names, round(since * 1e6), round(until * 1e6))
        )
        return _json({"windowSeconds": WINDOW / 1e6, "profiles": found})

    async def _write(self, request: Request, parse: Callable[[bytes], Batch], role: Role) -> dict[str, Any]:
        self._parts.tokens.check(request.headers.get("authorization", ""), role)
        return await self._written(request, parse)

    async def _written(self, request: Request, parse: Callable[[bytes], Batch]) -> dict[str, Any]:
        with self._budget.held() as share:
            body = await read(request, self._parts.bounds, share)
            async with self._parsing:
                return asdict(await self._parts.writer.submit(parse(body)))

    async def get_summary(self, request: Request) -> Response:
        """GET /v1/experiments/{uid}/summary."""
        uid = _uid(request)
        found = await self._read(request, lambda connection: summary.summary(connection, uid))
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, f"nobody declared an Experiment with uid {uid[:80]!r}")
        return _json(found)

    async def get_unit(self, request: Request) -> Response:
        """GET /v1/experiments/{uid}/units/{unit}."""
        uid, name = _uid(request), _pseudonym(request.path_params["unit"])
        found = await self._read(request, lambda connection: summary.unit(connection, uid, name))
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "this unit has not been exposed in this Experiment")
        return _json(found)

    async def get_changes(self, request: Request) -> Response:
        """GET /v1/changes: answer when something changed after `since`, or empty when the time is over."""
        since = int(_number(request, "since", 0))
        loop = asyncio.get_running_loop()
        until = loop.time() + min(LONGEST_POLL, _number(request, "timeout", 30))
        while True:
            ringing = self._parts.changes.next()
            news = await self._read(request, lambda connection: summary.changed_since(connection, since))
            left = until - loop.time()
            if news[1] or left <= 0 or self._parts.changes.closed:
                return _json({"revision": news[0], "experiments": news[1]})
            await self._parts.changes.wait(ringing, min(left, self._patience()))

    def _patience(self) -> float:
        """How long nobody need look: another replica's commits ring no bell here."""
        return 0.25 if self._parts.engine.dialect.name == "postgresql" else LONGEST_POLL

    async def _read(self, request: Request, query: Callable[[Connection], Any]) -> Any:
        self._parts.tokens.check(request.headers.get("authorization", ""), Role.OPERATOR)
        try:
            return await asyncio.to_thread(self._queried, query)
        except SQLAlchemyError as error:
            raise unavailable("the database does not answer; try again") from error

    def _queried(self, query: Callable[[Connection], Any]) -> Any:
        with self._parts.engine.connect().execution_options(reading=True) as connection:
            return query(connection)

    async def get_metrics(self, _: Request) -> Response:
        """GET /metrics: metrics for Prometheus."""
        return Response(generate_latest(self._parts.telemetry.registry), media_type=CONTENT_TYPE_LATEST)

    async def get_livez(self, _: Request) -> Response:
        """GET /livez: the writer lives."""
        return Response(
            "ok" if self._parts.writer.alive else "the writer is dead",
            200 if self._parts.writer.alive else 500,
        )

    async def get_readyz(self, _: Request) -> Response:
        """GET /readyz: the database answers."""
        try:
            async with asyncio.timeout(5):
                await asyncio.to_thread(
                    self._queried, lambda connection: connection.execute(text("SELECT 1"))
                )
        except (SQLAlchemyError, TimeoutError):
            return Response("the database does not answer", HTTPStatus.SERVICE_UNAVAILABLE)
        return Response("ok")

    async def get_openapi(self, _: Request) -> Response:
        """GET /openapi.json: this API, for programs."""
        return _json(openapi())


def application(collector: Collector) -> Starlette:
    """Return the ASGI application of a collector."""
    api = Api(collector)
    routes = [
        Route("/v1/experiments/{uid}", api.put_experiment, methods=["PUT"]),
        Route("/v1/experiments/{uid}/summary", api.get_summary),
        Route("/v1/experiments/{uid}/units/{unit}", api.get_unit),
        Route("/v1/exposures", api.post_exposures, methods=["POST"]),
        Route("/v1/outcomes", api.post_outcomes, methods=["POST"]),
        Route("/v1/answers", api.post_answers, methods=["POST"]),
        Route("/v1/answers/sums", api.post_questions, methods=["POST"]),
        Route("/v1/profiles", api.post_profiles, methods=["POST"]),
        Route("/v1/profiles/{namespace}/{model}/{version}", api.get_profiles),
        Route("/v1/changes", api.get_changes),
        Route("/metrics", api.get_metrics),
        Route("/livez", api.get_livez),
        Route("/readyz", api.get_readyz),
        Route("/openapi.json", api.get_openapi),
    ]
    handlers: dict[Any, Any] = {
        Problem: _refusals(collector.telemetry),
        HTTPException: _refusals(collector.telemetry),
    }
    return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan(collector))


def _refusals(telemetry: Telemetry) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException):
            status = HTTPStatus(error.status_code)
            error = Problem(
                status, f"{request.method} {request.url.path[:200]}: {status.phrase}", headers=error.headers
            )
        assert isinstance(error, Problem)  # it is registered for these two
        telemetry.refused.labels(_known(request.url.path), str(error.status.value)).inc()
        return error.response()

    return refuse


def _known(path: str) -> str:
    """Return a label with few values, whatever is asked for."""
    head = path.split("/")[1:3]
    known = ("exposures", "outcomes", "experiments", "profiles", "answers", "changes")
    return "/" + "/".join(head) if head in (["v1", each] for each in known) else "other"


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


def _uid(request: Request) -> str:
    uid = str(request.path_params["uid"])
    if len(uid) > LONGEST_UID or not uid.isprintable():
        detail = f"uid must be at most {LONGEST_UID} printable characters"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return uid


def _pseudonym(text: str) -> bytes:
    try:
        name = bytes.fromhex(text)
    except ValueError:
        name = b""
    if len(name) * 2 != PSEUDONYM:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"unit must be a pseudonym of {PSEUDONYM} hex digits")
    return name


def _number(request: Request, name: str, default: float) -> float:
    given = request.query_params.get(name)
    try:
        value = default if given is None else float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value < 2**63:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name}={given!r} must be a number, at least 0")
    return value
