"""Steady traffic: so many requests a second, sent when they are due, answered or not the ones before."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from churndemo.client import Answer

Send = Callable[[], Awaitable[Answer]]


class Steady:
    """An open loop with a bounded number of requests under way.

    Each request is due at start + i / rate. If answers are slow, requests still leave on time until
    `most_open` are under way; from then on the loop waits, and `late` says how far behind the clock the
    worst request left.
    """

    def __init__(self, rate: float, hear: Callable[[Answer], None], most_open: int = 200) -> None:
        self._gap = 1 / rate
        self._hear = hear
        self._room = asyncio.Semaphore(most_open)
        self._open: set[asyncio.Task[None]] = set()
        self.sent = 0
        self.late = 0.0  # seconds

    async def run(self, asks: Iterator[Send], stop: asyncio.Event, *, seconds: float) -> None:
        """Send until the asks run out, `stop` is set or the time is up; return when every answer is in."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for i, send in enumerate(asks):
            due = start + i * self._gap
            if i * self._gap >= seconds or await _stopped(stop, due - loop.time()):
                break
            await self._room.acquire()
            self.late = max(self.late, loop.time() - due)
            self._launch(send)
        await asyncio.gather(*self._open)

    def _launch(self, send: Send) -> None:
        task = asyncio.create_task(self._one(send))
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        self.sent += 1

    async def _one(self, send: Send) -> None:
        try:
            self._hear(await send())
        finally:
            self._room.release()


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    if seconds <= 0:
        await asyncio.sleep(0)
        return stop.is_set()
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
