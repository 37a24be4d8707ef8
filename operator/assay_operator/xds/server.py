"""The control plane: Envoys connect here and are kept at what the operator wants."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import xxhash

from assay_api import Ref
from assay_operator.gateway import Edge, ModelRoute, Programmed, listeners
from assay_operator.xds import metrics
from assay_operator.xds.json_reader import parse
from assay_operator.xds.messages import LDS, Listener, Request, chunk
from assay_operator.xds.resource_bundle import ResourceBundle, resource_bundle
from assay_operator.xds.snapshot import Snapshot
from assay_operator.xds.snapshot_cache import SnapshotCache
from assay_operator.xds.stream import RefusedError, Stream

logger = logging.getLogger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
STUCK_SECONDS = 30.0
EXPECTED_SECONDS = 15.0  # in which gateways that had another control plane find this one
RETRY_SECONDS = 5.0  # for what no Model can help, such as a port that is taken
OPTIONS = (
    # Envoy's keepalive: without these it counts as abuse, and the stream is dropped twice a minute.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000),
    ("grpc.http2.min_ping_interval_without_data_ms", 1000),
    ("grpc.http2.max_ping_strikes", 0),
    # Ours: a gateway whose node died must not stay connected.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),  # what decides in newer releases of grpc
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_receive_message_length", 64 * 2**20),  # a refusal repeats the resource
    ("grpc.so_reuseport", 0),
)


class AdsServer:
    """`Gateways` over Envoy's aggregated discovery service, state of the world.

    Args:
        edge: Where gateways listen and log.
        linger: Seconds for which a cluster stays after the last route to it is gone, for requests that
            are still being retried.
    """

    def __init__(self, edge: Edge | None = None, *, linger: float = 30.0) -> None:
        """Want nothing yet, and serve nobody."""
        self._cache = SnapshotCache()
        self._routes: dict[Ref, tuple[ModelRoute, str]] = {}
        self._streams: dict[Stream, asyncio.Task[None]] = {}
        self._since: dict[Ref, float] = {}
        self._progress = asyncio.Event()
        self._on_progress: Callable[[Ref], None] = _ignore
        self._serving = False
        self._expected_until = 0.0  # monotonic
        self._linger = linger
        self._server: grpc.aio.Server | None = None
        packed = b"".join(chunk(parse(Listener, value)) for value in listeners(edge or Edge()))
        self._listeners = (xxhash.xxh3_128_hexdigest(packed), packed)

    async def start(self, port: int, host: str = "0.0.0.0") -> int:
        """Serve; return the port, which is chosen for you if you ask for 0."""
        method = grpc.stream_stream_rpc_method_handler(self._serve, request_deserializer=Request.FromString)
        self._server = grpc.aio.server(options=OPTIONS)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE, {"StreamAggregatedResources": method}),)
        )
        bound: int = self._server.add_insecure_port(f"{host}:{port}")
        await self._server.start()
        self._expected_until = time.monotonic() + EXPECTED_SECONDS
        asyncio.get_running_loop().call_later(EXPECTED_SECONDS + 0.1, self._progressed)
        return bound

    def _progressed(self) -> None:
        """Have every Model looked at: what was expected has come, or has not."""
        for ref in list(self._routes):
            self._on_progress(ref)

    async def stop(self) -> None:
        """End every stream. Envoys go on with what they have, and look for us until we are back."""
        for speaker in self._streams.values():
            speaker.cancel()
        if self._server:
            await self._server.stop(grace=1)

    async def publish(self, ref: Ref, route: ModelRoute | None) -> str:
        """Want this route for the Model, or none; see `Gateways`."""
        known = self._routes.get(ref)
        if known and known[0] == route and ref not in self._cache.rejected:
            return known[1]
        packed = resource_bundle(route) if route else None
        version = packed.version if packed else ""
        if self._cache.publish(ref, packed):
            self._since.setdefault(ref, time.monotonic())
            self._tell()
        if route:
            self._routes[ref] = (route, version)
        else:
            self._routes.pop(ref, None)
        await asyncio.sleep(0)  # a thousand in a row must let the streams speak
        return version

    def programmed(self, ref: Ref) -> Programmed:
        """Return whether what was published last is in force; see `Gateways`."""
        count = len(self._streams)
        if rejection := self._cache.rejected.get(ref):
            return _not_yet(count, f"a gateway refused the route: {rejection.reason}", rejection.reason)
        serving = [stream for stream in self._streams if stream.serving]
        if not serving:
            words = "gateways are starting" if count else "no gateway is connected"
            return _not_yet(count, words)._replace(expected=time.monotonic() < self._expected_until)
        if behind := [stream for stream in serving if not self._has(stream, ref)]:
            return _not_yet(count, _waiting(behind, len(serving)))
        return Programmed(
            done=True, gateways=count, message=f"{len(serving)} of {len(serving)} gateways acknowledged"
        )

    async def wait_programmed(self, ref: Ref, timeout: float) -> Programmed:  # noqa: ASYNC109  the caller's bound
        """Return as soon as the route is in force or refused, at the latest after `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not (now := self.programmed(ref)).done and now.nack is None:
                    await self._progress.wait()
        return self.programmed(ref)

    def on_progress(self, call: Callable[[Ref], None]) -> None:
        """Call `call` whenever `programmed` of a Model may have changed; see `Gateways`."""
        self._on_progress = call

    async def _serve(self, requests: AsyncIterable[Any], context: Any) -> None:
        """Keep one Envoy up to date until it goes away."""
        stream = Stream(context.write, self._listeners)
        reader = asyncio.create_task(self._read(stream, requests))
        self._streams[stream] = speaker = asyncio.create_task(self._speak(stream))
        try:
            done, _ = await asyncio.wait((reader, speaker), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reader.cancel()
            speaker.cancel()
            del self._streams[stream]
            self._settle()
            logger.info("gateway %s disconnected", stream.node)
        for task in done:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _read(self, stream: Stream, requests: AsyncIterable[Any]) -> None:
        async for request in requests:
            known = bool(stream.node)
            stream.receive(request)
            if not known:
                logger.info("gateway %s connected", stream.node)
                metrics.CONNECTED.set(len(self._streams))

    async def _speak(self, stream: Stream) -> None:
        while True:
            snapshot = self._cache.snapshot()
            if not stream.due(snapshot):
                stream.wake.clear()
                await stream.wake.wait()
                continue
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    await stream.program(snapshot)
            except RefusedError as error:
                self._refused(stream, snapshot, error)
            except TimeoutError:
                logger.warning(
                    "gateway %s did not answer within %s s; let it connect again", stream.node, STUCK_SECONDS
                )
                return
            if stream.survivors:
                asyncio.get_running_loop().call_later(self._linger, stream.forget)
            self._settle()

    def _refused(self, stream: Stream, snapshot: Snapshot, error: RefusedError) -> None:
        guilty = [] if error.kind == LDS else self._cache.reject(snapshot, error.reason, self._plain)
        logger.error("gateway %s refused %s; reverted: %s", stream.node, error, guilty or "nothing")
        for ref in guilty:
            metrics.NACKS.labels(ref.namespace, ref.name).inc()
            self._on_progress(ref)
        if not guilty:
            metrics.NACKS.labels("", "").inc()
            asyncio.get_running_loop().call_later(RETRY_SECONDS, stream.retry)
        self._tell()

    def _plain(self, ref: Ref) -> ResourceBundle | None:
        """The champion for everybody, if it was the split that a gateway refused."""
        route, _ = self._routes[ref]
        return resource_bundle(replace(route, split=None)) if route.split else None

    def _settle(self) -> None:
        """Draw the conclusions of an acknowledgement, a refusal or a stream that closed."""
        metrics.CONNECTED.set(len(self._streams))
        for ref in [ref for ref in self._cache.unacked if self.programmed(ref).done]:
            self._cache.acknowledge(ref)
            if (since := self._since.pop(ref, None)) is not None:
                metrics.PROGRAMMED.observe(time.monotonic() - since)
            self._on_progress(ref)
        self._retire()
        self._progress.set()
        self._progress = asyncio.Event()
        if (serving := any(stream.serving for stream in self._streams)) != self._serving:
            self._serving = serving
            self._progressed()

    def _retire(self) -> None:
        floor = min((stream.generation for stream in self._streams), default=-1)
        if names := self._cache.retired(floor):
            asyncio.get_running_loop().call_later(self._linger, self._drop, names)

    def _drop(self, names: list[str]) -> None:
        self._cache.drop(names)
        self._tell()

    def _tell(self) -> None:
        for stream in self._streams:
            stream.wake.set()

    def _has(self, stream: Stream, ref: Ref) -> bool:
        return stream.versions is not None and stream.versions.get(ref) == self._cache.wanted(ref)


def _ignore(ref: Ref) -> None:
    """Nobody wants to know."""


def _not_yet(gateways: int, message: str, nack: str | None = None) -> Programmed:
    return Programmed(done=False, gateways=gateways, message=message, nack=nack)


def _waiting(behind: list[Stream], serving: int) -> str:
    reasons = {str(stream.refusal) for stream in behind if stream.refusal}
    names = ", ".join(sorted(stream.node for stream in behind))
    refusals = f"; refused: {'; '.join(sorted(reasons))}" if reasons else ""
    return f"{serving - len(behind)} of {serving} gateways acknowledged; waiting for {names}{refusals}"
