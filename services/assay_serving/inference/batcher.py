"""Batch while busy: rows that arrive during a model call leave together in the next one.

There is no timer and nothing to tune, and nobody waits for company: an idle model starts at once. A request
with many rows is cut into parts and takes turns with the others, so that a small one behind it doesn't wait
for all of it. One call runs at a time; a cheap one on the event loop, a costly one in a thread of its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from assay_artifact import Prediction, Table
from assay_artifact.table import concatenate
from assay_serving.problems import Problem

Predict = Callable[[Table], Prediction]
CHEAP_SECONDS = 1e-3  # a shorter call may hold up the event loop; the way to a thread and back costs more


class Cost(NamedTuple):
    """What a call of the model takes, in seconds: for itself, and for each row."""

    call: float
    row: float

    def of(self, rows: int) -> float:
        """Return the seconds that a call with so many rows takes."""
        return self.call + rows * self.row


class Limits(NamedTuple):
    """Bounds of a batcher: rows in one call, rows of one request in one call, rows that may wait."""

    rows: int = 2048
    share: int = 1024
    waiting: int = 200_000


class PendingRequest:
    """One request on its way through the model, possibly in parts."""

    __slots__ = ("answer", "deadline", "parts", "start", "table")

    def __init__(self, table: Table, deadline: float, answer: asyncio.Future[Prediction]) -> None:
        """Start at the first row."""
        self.table, self.deadline, self.answer = table, deadline, answer
        self.start = 0
        self.parts: list[Prediction] = []

    def take(self, most: int) -> Table:
        """Return the next rows, at most so many."""
        start, stop = self.start, min(self.start + most, len(self.table))
        self.start = stop
        return self.table if stop - start == len(self.table) else self.table.slice(start, stop)

    def give(self, part: Prediction) -> None:
        """Take the answers of the rows that were taken last; the caller is told when they are all there."""
        self.parts.append(part)
        if self.start == len(self.table) and not self.answer.done():
            self.answer.set_result(joined(self.parts))

    def fail(self, error: Exception) -> None:
        """Tell the caller, if it is still there."""
        if not self.answer.done():
            self.answer.set_exception(error)


class MicroBatcher:
    """Calls the model with as many waiting rows as fit, one call at a time."""

    def __init__(self, predict: Predict, cost: Cost, limits: Limits) -> None:
        """Wrap a model."""
        self.predict, self.cost, self.limits = predict, cost, limits
        self.queue: deque[PendingRequest] = deque()
        self.waiting = 0
        self.worker: asyncio.Task[None] | None = None
        self.thread = ThreadPoolExecutor(1, "model")

    async def __call__(self, table: Table, deadline: float) -> Prediction:
        """Answer the rows; `deadline` is on the clock of `time.monotonic`.

        Raises:
            Problem: 429 when the queue is full, 504 when the deadline passed in the queue.
        """
        if self.waiting and self.waiting + len(table) > self.limits.waiting:
            raise self._full()
        loop = asyncio.get_running_loop()
        request = PendingRequest(table, deadline, loop.create_future())
        self.queue.append(request)
        self.waiting += len(table)
        if self.worker is None or self.worker.done():
            self.worker = loop.create_task(self._work())
        return await request.answer

    def _full(self) -> Problem:
        wait = max(1, round(self.cost.of(self.waiting)))
        return Problem(429, "queue-full", f"{self.waiting} rows are waiting; come again in {wait} s").after(
            wait
        )

    async def _work(self) -> None:
        while self.queue:
            requests, tables = self._batch()
            if not requests:
                continue
            try:
                self._give(requests, await self._call(concatenate(tables)), tables)
            except Exception:  # noqa: BLE001  the model may raise anything: find out whose row it was
                await self._one_by_one(requests, tables)

    def _batch(self) -> tuple[list[PendingRequest], list[Table]]:
        """Take rows of the longest waiting; who isn't done goes to the end of the queue."""
        requests, tables, room, unfinished = [], [], self.limits.rows, []
        now = time.monotonic()
        while self.queue and room > 0:
            request = self.queue.popleft()
            if not self._wanted(request, now):
                continue
            part = request.take(min(room, self.limits.share))
            room -= len(part)
            self.waiting -= len(part)
            requests.append(request)
            tables.append(part)
            if request.start < len(request.table):
                unfinished.append(request)
        self.queue.extend(unfinished)
        return requests, tables

    def _wanted(self, request: PendingRequest, now: float) -> bool:
        if now > request.deadline:
            request.fail(Problem(504, "deadline", "the model did not get to the rows before their deadline"))
        if request.answer.done():  # answered with an error, or its caller left
            self.waiting -= len(request.table) - request.start
            return False
        return True

    async def _call(self, table: Table) -> Prediction:
        if self.cost.of(len(table)) < CHEAP_SECONDS:
            return self.predict(table)
        return await asyncio.get_running_loop().run_in_executor(self.thread, self.predict, table)

    def _give(self, requests: list[PendingRequest], answer: Prediction, tables: list[Table]) -> None:
        if len(requests) == 1:
            requests[0].give(answer)
            return
        edges = np.cumsum([0, *map(len, tables)]).tolist()
        for request, (start, stop) in zip(requests, pairwise(edges), strict=True):
            request.give(answer.slice(start, stop))

    async def _one_by_one(self, requests: list[PendingRequest], tables: list[Table]) -> None:
        for request, table in zip(requests, tables, strict=True):
            try:
                request.give(await self._call(table))
            except Exception as error:  # noqa: BLE001  its own
                request.fail(error)


def joined(parts: list[Prediction]) -> Prediction:
    """Put the answers of one version under each other."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*parts, strict=True)
    return Prediction(*(None if column[0] is None else np.concatenate(column) for column in columns))
