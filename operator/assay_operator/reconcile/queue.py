"""Execute: which key is next, each at most once at a time, again after a failure, or when it asked to.

All triggers end here. Asking during a run is remembered, and answered by exactly one more run.
"""

import asyncio
import heapq
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from assay_operator.telemetry import metrics

Key = TypeVar("Key", bound=Hashable)
Job = Callable[[Key], Awaitable[float | None]]

FIRST_RETRY, LONGEST_RETRY = 0.5, 60.0

log = logging.getLogger(__name__)


class WorkQueue(Generic[Key]):
    """Calls `job(key)`, never twice at once for equal keys.

    A job may return in how many seconds it wants to be called again.
    """

    def __init__(
        self, job: Job[Key], workers: int = 8, group: Callable[[Key], Hashable] | None = None
    ) -> None:
        """Take the job.

        Args:
            job: What is called with a key.
            workers: How many run at once.
            group: A key's group. While several have work, none has more than half of the workers.
        """
        self._job = job
        self._workers = workers
        self._group = group or (lambda _: None)
        self._busy: Counter[Hashable] = Counter()
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._running: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._waiting: dict[Key, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()
        self._count = 0

    def add(self, key: Key, delay: float = 0) -> None:
        """Ask for a run in `delay` seconds at the latest; an earlier wish stands."""
        at = time.monotonic() + delay
        if at < self._due.get(key, float("inf")):
            self._due[key] = at
            self._count += 1
            heapq.heappush(self._heap, (at, self._count, key))
            self._wake.set()

    async def done(self, key: Key) -> None:
        """Ask for a run, and wait for the end of one that begins after this call; raise what it raises."""
        end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(end)
        self.add(key)
        await end

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._wake.clear()
                for key in self._ready():
                    tasks.create_task(self._serve(key))
                await self._rest()

    def _ready(self) -> list[Key]:
        """Take what is due and not being served."""
        taken: list[Key] = []
        over: list[tuple[float, int, Key]] = []  # due, of groups that have their part
        kept: list[tuple[float, int, Key]] = []
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now and len(self._running) < self._workers:
            entry = at, _, key = heapq.heappop(self._heap)
            if self._due.get(key) != at:
                continue  # an earlier wish replaced this one
            if key in self._running:
                kept.append(entry)
            elif self._busy[self._group(key)] >= max(self._workers // 2, 1):
                over.append(entry)
            else:
                taken.append(self._take(key))
        while over and len(self._running) < self._workers:  # nobody else has work
            taken.append(self._take(over.pop(0)[2]))
        for entry in (*kept, *over):
            heapq.heappush(self._heap, entry)
        return taken

    def _take(self, key: Key) -> Key:
        del self._due[key]
        self._running.add(key)
        self._busy[self._group(key)] += 1
        return key

    async def _rest(self) -> None:
        """Wait for the next wish, or until one is due; what waits for a running key is woken by its end."""
        waiting = next((at for at, _, key in sorted(self._heap[:64]) if key not in self._running), None)
        busy = len(self._running) >= self._workers
        pause = None if waiting is None or busy else max(waiting - time.monotonic(), 0)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _serve(self, key: Key) -> None:
        waiting = self._waiting.pop(key, [])
        try:
            again = await self._job(key)
            self._failures.pop(key, None)
            _tell(waiting, None)
        except Exception as error:
            _tell(waiting, error)  # whatever failed is logged, counted and tried again
            count = self._failures[key] = self._failures.get(key, 0) + 1
            again = min(FIRST_RETRY * 2.0 ** min(count - 1, 20), LONGEST_RETRY)
            metrics.errors.labels(type(error).__name__).inc()
            passing = isinstance(error, (OSError, TimeoutError))  # nobody answers: no news in where it was
            log.error("%s failed, again in %.1f s: %r", key, again, error, exc_info=not passing)  # noqa: TRY400
        finally:
            self._running.discard(key)
            self._busy[self._group(key)] -= 1
            self._busy += Counter()  # without those that have none
            self._wake.set()
        if again is not None:
            self.add(key, again)


def _tell(waiting: list[asyncio.Future[None]], error: Exception | None) -> None:
    for end in waiting:
        if end.done():
            continue
        if error:
            end.set_exception(error)
        else:
            end.set_result(None)
