"""The one that writes: a thread that takes whatever has come in and commits it as one group.

A commit costs one fsync however much is in it, so the busier the collector, the larger its groups. Nobody
gets an answer before the commit that holds its records is on disk. When a group breaks, each batch is tried
alone, so that a bad one can't take others down with it.
"""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from assay_collector.batch import Answer, Answered, Batch, Counted, Exposures, Outcomes, Tick
from assay_collector.ledger.transaction import Committed, transact
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.problem import Problem, unavailable
from assay_collector.store.experiments import Frozen
from assay_collector.telemetry import Telemetry

log = logging.getLogger(__name__)

GROUP = 20_000  # records in one commit
MILLION = 1_000_000
KINDS: dict[type, str] = {
    Exposures: "exposure",
    Outcomes: "outcome",
    Counted: "profile",
    Answered: "answer",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A batch and the one who waits for it."""

    batch: Batch
    answer: asyncio.Future[Answer]


class Writer:
    """Turns batches into answers, durably, in the order in which they come."""

    def __init__(
        self, engine: Engine, policy: Policy, telemetry: Telemetry, clock: Callable[[], float] = time.time
    ) -> None:
        """Prepare; `start` starts."""
        self._engine = engine
        self._policy = policy
        self._telemetry = telemetry
        self._clock = clock
        self._latest = 0
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer")
        self.on_change: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start the thread; call it on the event loop that submits."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Commit what has been submitted, then end."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    @property
    def alive(self) -> bool:
        """Whether anything will be committed."""
        return self._thread.is_alive()

    async def submit(self, batch: Batch) -> Answer:
        """Return the answer once the batch is on disk.

        Raises:
            Problem: 503 when the database is not there or full; 409 when a declaration moves what is frozen.
        """
        job = Job(batch, self._loop.create_future())
        self._queue.put(job)
        self._telemetry.queued.set(self._queue.qsize())
        return await asyncio.shield(job.answer)

    def now(self) -> int:
        """Return the time in microseconds; it never goes back."""
        self._latest = max(self._latest, int(self._clock() * MILLION))
        return self._latest

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group, last = self._gathered(first)
            self._serve([job for job in group if not isinstance(job.batch, Tick)])
            self._serve(
                [job for job in group if isinstance(job.batch, Tick)]
            )  # apart: it must not fail others
            if last:
                break
        self._engine.dispose()

    def _gathered(self, first: Job) -> tuple[list[Job], bool]:
        group, size = [first], _size(first)
        while size < GROUP:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return group, True
            group.append(job)
            size += _size(job)
        return group, False

    def _serve(self, group: Sequence[Job]) -> None:
        if not group:
            return
        started = time.perf_counter()
        try:
            with self._engine.begin() as connection:
                done = transact(connection, self._policy, self.now(), [job.batch for job in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            self._recover(group, error)
            return
        self._note(done, group, time.perf_counter() - started)
        self._loop.call_soon_threadsafe(_settle, group, done.answers)
        if done.changed:
            self._loop.call_soon_threadsafe(self.on_change)

    def _recover(self, group: Sequence[Job], error: Exception) -> None:
        if len(group) == 1 or _down(error):
            self._refuse(group, error)
            return
        for job in group:
            self._serve([job])

    def _note(self, done: Committed, group: Sequence[Job], seconds: float) -> None:
        self._telemetry.commit.observe(seconds)
        for uid, number in done.mismatches.items():
            self._telemetry.mismatches.labels(uid).inc(number)
        for job, answer in zip(group, done.answers, strict=True):
            if isinstance(job.batch, Exposures | Outcomes | Counted | Answered):
                age = max(0.0, self._clock() - job.batch.newest() / MILLION)
                self._telemetry.counted(_kind(job.batch), answer, age)

    def _refuse(self, group: Sequence[Job], error: Exception) -> None:
        problem = _explained(error)
        if problem.status is HTTPStatus.CONFLICT:
            log.info("refused: %s", problem.detail)
        else:
            self._telemetry.failures.inc()
            log.error("a group of %d batches was not committed", len(group), exc_info=error)
        self._loop.call_soon_threadsafe(_fail, [job.answer for job in group], problem)


def _size(job: Job) -> int:
    return len(job.batch.rows) if isinstance(job.batch, Exposures | Outcomes | Answered) else 1


def _kind(batch: Exposures | Outcomes | Counted | Answered) -> str:
    return KINDS[type(batch)]


def _down(error: Exception) -> bool:
    """Tell whether the database itself is in trouble, so that trying again at once is no use."""
    return isinstance(error, OperationalError | InterfaceError)


def _explained(error: Exception) -> Problem:
    if isinstance(error, Frozen):
        detail = f"{error.field} is frozen since the first PUT; a change is a new Experiment"
        return Problem(HTTPStatus.CONFLICT, detail, [{"field": error.field, "message": "is frozen"}])
    if isinstance(error, DBAPIError):
        return unavailable("the database does not take this now; nothing was stored, try again")
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault in the collector; nothing was stored")


def _settle(group: Sequence[Job], answers: Sequence[Answer]) -> None:
    for job, answer in zip(group, answers, strict=True):
        if not job.answer.done():
            job.answer.set_result(answer)


def _fail(waiting: Sequence[asyncio.Future[Answer]], problem: Problem) -> None:
    for future in waiting:
        if not future.done():
            future.set_exception(problem)
