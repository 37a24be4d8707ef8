"""One stream of Envoy's: to the operator if it is there, to the stand-in until it is."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine
from typing import Any

import grpc

from assay_relay.cached_control_plane import CachedControlPlane
from assay_relay.memory import Memory
from assay_relay.messages import Response, encoded, request, response
from assay_relay.operator import Operator
from assay_relay.peers import Peers
from assay_relay.telemetry import Telemetry

log = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[Any]]


class ProxyStream:
    """Ends when Envoy goes, when the operator goes, or when the operator is back and Envoy should meet it."""

    def __init__(self, operator: Operator, peers: Peers, memory: Memory, telemetry: Telemetry) -> None:
        """Prepare; `run` runs."""
        self._operator = operator
        self._peers = peers
        self._memory = memory
        self._telemetry = telemetry
        self._inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._held: list[bytes] = []
        self._passed: list[bytes] = []  # to Envoy, and not looked at yet: that can wait, Envoy cannot
        self._open: dict[tuple[str, str], Response] = {}  # what Envoy has not answered yet

    async def run(self, requests: AsyncIterable[bytes], write: Write, patience: float) -> None:
        """Serve the stream; an operator that says nothing of itself within `patience` seconds is away."""
        reader = asyncio.create_task(self._read(requests))
        try:
            if await self._operator.reachable(patience) or await self._stood_in(write):
                await self._relay(write)
        finally:
            reader.cancel()

    async def _read(self, requests: AsyncIterable[bytes]) -> None:
        async for raw in requests:
            self._inbox.put_nowait(raw)
        self._inbox.put_nowait(None)

    async def _stood_in(self, write: Write) -> bool:
        """Answer from memory until the operator is there; return whether it can have this very stream."""
        deputy = CachedControlPlane(self._memory, self._telemetry)
        log.warning("the operator is away; Envoy gets what it had: %d resources", len(self._memory))
        with self._telemetry.waiting.track_inprogress():
            if not await _until_one_ends(self._deputise(deputy, write), self._operator.reached()):
                return False
        log.info("the operator is back")
        return not deputy.answered

    async def _deputise(self, deputy: CachedControlPlane, write: Write) -> bool:
        """Answer until Envoy goes, which is no reason to go on; with nothing to say, ask first."""
        await self._peers.teach(self._memory)
        self._telemetry.remembered.set(len(self._memory))
        while (raw := await self._inbox.get()) is not None:
            self._held.append(raw)
            if answer := deputy.answer(request(raw)):
                await write(encoded(answer))
        return False

    async def _relay(self, write: Write) -> None:
        call = self._operator.stream()
        gone = contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError)
        try:
            with self._telemetry.connected.track_inprogress(), gone:
                await _until_one_ends(self._up(call), self._down(call, write))
        finally:
            call.cancel()

    async def _up(self, call: Any) -> None:
        """Pass on what Envoy says; what the operator knows to be accepted is remembered already."""
        for raw in self._held:
            await call.write(raw)
        while (raw := await self._inbox.get()) is not None:  # type: ignore[assignment]
            self._heard(raw)
            await call.write(raw)

    async def _down(self, call: Any, write: Write) -> None:
        """Pass on what the operator says."""
        while (raw := await call.read()) is not grpc.aio.EOF:
            self._passed.append(raw)
            await write(raw)

    def _heard(self, raw: bytes) -> None:
        """Remember what Envoy accepts."""
        news = [response(each) for each in self._passed]
        self._passed.clear()
        self._open.update({(each.kind, each.nonce): each for each in news})
        parsed = request(raw)
        accepted = self._open.pop((parsed.kind, parsed.nonce), None)
        if accepted is not None and parsed.refusal is None:
            self._memory.keep(accepted)
            self._telemetry.remembered.set(len(self._memory))


async def _until_one_ends(*things: Coroutine[Any, Any, Any]) -> bool:
    """Run things until the first one ends; return False if that one does, and raise what it raises."""
    tasks = [asyncio.create_task(each) for each in things]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return all([task.result() is not False for task in done])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
