"""News for those who wait: a commit that changed an Experiment wakes long polls, but not too often."""

import asyncio
import contextlib


class Changes:
    """A bell. It rings at once when it has been quiet, and gathers what follows closely."""

    def __init__(self, pause: float = 0.1) -> None:
        """Ring at most every `pause` seconds."""
        self._pause = pause
        self._bell = asyncio.Event()
        self._ringing: asyncio.TimerHandle | None = None
        self._next = 0.0
        self.closed = False

    def changed(self) -> None:
        """Tell everybody who waits, now or when the pause is over; call it on the event loop."""
        loop = asyncio.get_running_loop()
        if self._ringing is None:
            self._ringing = loop.call_at(max(self._next, loop.time()), self._ring)

    def _ring(self) -> None:
        self._ringing = None
        self._next = asyncio.get_running_loop().time() + self._pause
        self._bell.set()
        self._bell = asyncio.Event()

    def close(self) -> None:
        """Send everybody home, for good."""
        self.closed = True
        self._bell.set()

    def next(self) -> asyncio.Event:
        """Return the next ringing; take it before you look, and nothing is missed that happens after."""
        return self._bell

    async def wait(self, ringing: asyncio.Event, seconds: float) -> None:
        """Wait for the ringing, for the end, or for `seconds`."""
        if not self.closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await ringing.wait()
