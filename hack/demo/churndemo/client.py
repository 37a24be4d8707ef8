"""One user's request through the gateway, and what came of it; a failure is an answer, never raised."""

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp

from churndemo import sockets

UNIT = "x-user-id"
ARM = "x-assay-arm"
VERSION = "x-assay-version"
NO_ARM = frozenset({None, "", "none", "unenrolled"})  # words for: in no Experiment


class Target(NamedTuple):
    """Where a model answers, as seen from here."""

    url: str  # such as http://10.201.0.7
    host: str | None = None  # the Host header, if the URL doesn't say it
    namespace: Path | None = None  # the network namespace from which the URL can be reached, if not this one


class Answer(NamedTuple):
    """What one user saw."""

    unit: str | None
    at: float  # unix seconds when the request was sent
    seconds: float
    status: int  # 0: no answer at all
    arm: str | None = None
    version: str | None = None  # that answered
    id: str | None = None  # the request id that the gateway gave
    body: Any = None
    error: str = ""

    @property
    def failed(self) -> bool:
        """Tell whether the user got anything but a prediction."""
        return not HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def enrolled(self) -> bool:
        """Tell whether this request belongs to an arm of an Experiment."""
        return self.arm not in NO_ARM


class Client:
    """Many users behind one pool of connections; `async with` opens and closes it."""

    def __init__(
        self, target: Target, timeout: float = 15, connections: int = 64, *, keepalive: bool = True
    ) -> None:
        self._target = target
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._connections = connections
        self._keepalive = keepalive
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        made_there = sockets.factory(self._target.namespace) if self._target.namespace else None
        connector = aiohttp.TCPConnector(
            limit=self._connections, force_close=not self._keepalive, socket_factory=made_there
        )
        headers = {"host": self._target.host} if self._target.host else {}
        self._session = aiohttp.ClientSession(connector=connector, timeout=self._timeout, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, unit: str | None, row: Mapping[str, Any], path: str = "/predict") -> Answer:
        """Ask for one prediction as this unit, or as nobody."""
        return await self.post(path, json.dumps({"rows": [row]}).encode(), unit)

    async def post(self, path: str, body: bytes, unit: str | None = None) -> Answer:
        """Send a body of JSON; every outcome, a broken connection too, is an Answer."""
        headers = {"content-type": "application/json"} | ({UNIT: unit} if unit is not None else {})
        at, start = time.time(), time.perf_counter()
        try:
            async with self._session.post(self._target.url + path, data=body, headers=headers) as response:
                text = await response.read()
                return _answer(unit, at, time.perf_counter() - start, response, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Answer(unit, at, time.perf_counter() - start, 0, error=f"{type(error).__name__}: {error}")


def _answer(
    unit: str | None, at: float, seconds: float, response: aiohttp.ClientResponse, text: bytes
) -> Answer:
    response_headers = response.headers
    try:
        body, error = json.loads(text), ""
    except ValueError:
        body, error = None, text[:200].decode(errors="replace")
    if not response.ok:
        error = text[:200].decode(errors="replace")
    status = (
        response.status if body is not None or not response.ok else 0
    )  # a 200 without a prediction is none
    return Answer(
        unit,
        at,
        seconds,
        status,
        response_headers.get(ARM),
        response_headers.get(VERSION),
        response_headers.get("x-request-id"),
        body,
        error,
    )
