"""What a collector does by itself while it serves: time passes, and the log is copied."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette

from assay_collector.api.container import Collector
from assay_collector.batch import Tick
from assay_collector.problem import Problem
from assay_collector.store.engine import checkpointed

log = logging.getLogger(__name__)

SWEEP_TICKS = 10
BREATH = 0.05  # seconds for others, where one tick is not enough
CHECKPOINTS = 4  # a tick: what is left for a commit to copy is copied while its writers wait


def lifespan(collector: Collector) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    """Return what Starlette runs around the time in which it serves."""

    @contextlib.asynccontextmanager
    async def serving(_: Starlette) -> AsyncIterator[None]:
        collector.writer.on_change = collector.changes.changed
        collector.writer.start()
        regular = [
            asyncio.create_task(each)
            for each in (
                _tick(collector, Tick(), collector.tick_seconds),
                _tick(collector, Tick(sweep=True), SWEEP_TICKS * collector.tick_seconds),
                _checkpoint(collector),
            )
        ]
        yield
        for task in regular:
            task.cancel()
        await asyncio.gather(*regular, return_exceptions=True)
        await collector.writer.stop()

    return serving


async def _tick(collector: Collector, tick: Tick, seconds: float) -> None:
    while True:
        more = False
        with contextlib.suppress(Problem):  # the writer has logged it; the next tick tries again
            more = (await collector.writer.submit(tick)).changed
        await asyncio.sleep(BREATH if more else seconds)


async def _checkpoint(collector: Collector) -> None:
    while True:
        await asyncio.sleep(collector.tick_seconds / CHECKPOINTS)
        try:
            await asyncio.to_thread(checkpointed, collector.engine)
        except (SQLAlchemyError, sqlite3.Error) as error:
            log.warning("the log is not copied into the database now: %s", error)
