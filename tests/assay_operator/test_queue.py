import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from assay_operator.reconcile.queue import WorkQueue

Job = Callable[[str], Awaitable[float | None]]


@asynccontextmanager
async def serving(job: Job, workers: int = 8) -> AsyncIterator[WorkQueue[str]]:
    queue = WorkQueue(job, workers)
    task = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_calls_during_a_run_cause_exactly_one_more_run() -> None:
    gate, started, runs = asyncio.Event(), asyncio.Event(), []

    async def job(key: str) -> None:
        runs.append(key)
        started.set()
        await gate.wait()

    async with serving(job) as queue:
        queue.add("a")
        await started.wait()
        for _ in range(3):
            queue.add("a")
        last = asyncio.create_task(queue.done("a"))
        await asyncio.sleep(0)
        assert runs == ["a"]
        gate.set()
        await last
    assert runs == ["a", "a"]


async def test_other_keys_do_not_wait_but_no_more_than_the_workers_run_at_once() -> None:
    gate, running = asyncio.Event(), set()

    async def job(key: str) -> None:
        running.add(key)
        await gate.wait()

    async with serving(job, workers=2) as queue:
        ends = [asyncio.create_task(queue.done(key)) for key in "abc"]
        while len(running) < 2:
            await asyncio.sleep(0)
        assert running == {"a", "b"}
        gate.set()
        await asyncio.gather(*ends)
        assert running == {"a", "b", "c"}


async def test_a_failure_is_tried_again_and_told_to_who_waits(caplog: pytest.LogCaptureFixture) -> None:
    runs = []

    async def job(key: str) -> None:
        runs.append(key)
        if len(runs) == 1:
            raise ValueError(key)

    async with serving(job) as queue:
        with pytest.raises(ValueError, match="a"):
            await queue.done("a")
        async with asyncio.timeout(5):
            while len(runs) < 2:
                await asyncio.sleep(0.01)
    assert "a failed, again in 0.5 s" in caplog.text


async def test_a_job_is_called_again_when_it_asked_to_be() -> None:
    runs, twice = [], asyncio.Event()

    async def job(key: str) -> float | None:
        runs.append(key)
        if len(runs) == 2:
            twice.set()
            return None
        return 0.01

    async with serving(job) as queue, asyncio.timeout(5):
        queue.add("a")
        await twice.wait()


async def test_an_earlier_wish_stands() -> None:
    runs, once = [], asyncio.Event()

    async def job(key: str) -> None:
        runs.append(key)
        once.set()

    async with serving(job) as queue, asyncio.timeout(5):
        queue.add("a", delay=0.01)
        queue.add("a", delay=60)
        await once.wait()
    assert runs == ["a"]


async def test_a_job_that_has_failed_for_days_is_still_tried_each_minute() -> None:
    async def job(_: str) -> None:
        raise RuntimeError("as ever")

    async with serving(job) as queue:
        queue._failures["a"] = 100_000
        with pytest.raises(RuntimeError):
            await queue.done("a")
        await asyncio.sleep(0)
        assert 59 < queue._due["a"] - time.monotonic() <= 60
