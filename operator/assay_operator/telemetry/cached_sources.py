"""`Sources` that make nobody wait: what is known is returned, what is due is asked in the background."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import Counter, Histogram

from assay_api import Ref
from assay_api.duration import seconds
from assay_operator.telemetry import NO_SAMPLE, MetricSource, NoData, Question, Sample, SourceUnavailable

AT_ONCE = 8  # questions to the outside, over all Experiments
SOONEST = 5.0  # seconds between two of the same

_queries = Counter("assay_metric_queries", "Questions to sources of metrics.", ["source", "result"])
_took = Histogram(
    "assay_metric_query_seconds",
    "How long a source took.",
    ["source"],
    buckets=(0.01, 0.05, 0.2, 1, 5, 30),
)

log = logging.getLogger(__name__)


@dataclass
class _Poll:
    """One metric of one Experiment: the newest answer, and when to ask again."""

    sample: Sample = NO_SAMPLE
    due: float = 0.0  # monotonic
    task: asyncio.Task[None] | None = None


class CachedSources:
    """Keeps one answer for each metric of each running Experiment, and at most one question under way."""

    def __init__(self, sources: Mapping[str, MetricSource], wake: Callable[[Ref], None]) -> None:
        """Take whom to ask, by the name of the source, and whom to tell that an answer came."""
        self._sources = sources
        self._wake = wake
        self._polls: dict[str, dict[str, _Poll]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def read(self, question: Question) -> Sample:
        """See `Sources.read`."""
        polls = self._polls.setdefault(question.uid, {})
        poll = polls.setdefault(question.metric.name, _Poll())
        if poll.task is None and time.monotonic() >= poll.due:
            poll.task = asyncio.create_task(self._refresh(question, poll))
        return poll.sample

    def forget(self, uid: str) -> None:
        """See `Sources.forget`."""
        for poll in self._polls.pop(uid, {}).values():
            if poll.task:
                poll.task.cancel()

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = [poll.task for polls in self._polls.values() for poll in polls.values() if poll.task]
        for uid in list(self._polls):
            self.forget(uid)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _refresh(self, question: Question, poll: _Poll) -> None:
        async with self._turn:
            poll.sample = await self._query(question, poll.sample)
        query = question.metric.query
        assert query is not None
        poll.due = time.monotonic() + max(seconds(query.every), SOONEST)
        poll.task = None
        self._wake(question.ref)

    async def _query(self, question: Question, before: Sample) -> Sample:
        """Ask once; where there is no answer the last numbers stand, and the sample says why."""
        source, begin = question.metric.source, time.monotonic()
        try:
            found = await self._sources[source].ask(question, datetime.now(UTC))
            result, sample = "ok", Sample(found, "", "")
        except NoData as nothing:
            result, sample = "nodata", Sample(nothing.found, nothing.reason, str(nothing))
        except SourceUnavailable as nothing:
            result, sample = "error", Sample(before.moments, nothing.reason, str(nothing))
        except Exception as error:  # noqa: BLE001  a driver's own must not end the asking, nor tell secrets
            log.warning("%s %s: %s", question.ref, question.metric.name, type(error).__name__)
            result = "error"
            sample = Sample(before.moments, "MetricUnavailable", f"{source}: {type(error).__name__}")
        _queries.labels(source, result).inc()
        _took.labels(source).observe(time.monotonic() - begin)
        return sample
