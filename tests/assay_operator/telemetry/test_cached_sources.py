"""Answers from outside are read at once, asked for in the background, and told when they come."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from assay_api import Metric, Ref
from assay_api.metric_source import QUERIES
from assay_operator.composition import metric_sources
from assay_operator.settings import Settings
from assay_operator.telemetry import NoData, Question, Sample, SourceError, SourceUnavailable
from assay_operator.telemetry.cached_sources import AT_ONCE, CachedSources
from assay_operator.telemetry.http import http
from assay_operator.telemetry.lazy_source import LazySource
from assay_stats import Moments

CHURN = Ref("team", "churn")
SUMS = {"control": Moments(10, 1, 1), "boosted": Moments(10, 2, 2)}


@dataclass
class Gate:
    """A source that answers when it is let."""

    answer: Any = field(default_factory=lambda: SUMS)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    calls: int = 0
    inside: int = 0
    most: int = 0

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Moments]:
        self.calls += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            await self.open.wait()
        finally:
            self.inside -= 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return dict(self.answer)


def question(name: str = "orders", uid: str = "uid-1") -> Question:
    queries = {"count": "x", "sum": "y", "every": "1m"}
    metric = Metric.model_validate({"name": name, "source": "Prometheus", "prometheus": queries})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Question(CHURN, "churn-2-g2", uid, metric, ("control", "boosted"), start)


@dataclass
class Desk:
    """CachedSources over one gate, with a clock that stands until it is moved."""

    gate: Gate
    sources: CachedSources
    woken: asyncio.Queue[Ref]
    clock: list[float]

    async def answered(self) -> None:
        async with asyncio.timeout(5):
            await self.woken.get()


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    gate, woken, clock = Gate(), asyncio.Queue[Ref](), [1000.0]
    monkeypatch.setattr("assay_operator.telemetry.cached_sources.time.monotonic", lambda: clock[0])
    return Desk(gate, CachedSources({"Prometheus": gate}, woken.put_nowait), woken, clock)


async def test_nobody_waits_and_the_model_is_woken_when_the_answer_comes(desk: Desk) -> None:
    assert desk.sources.read(question()) == Sample({}, "NoData", "not asked yet")
    desk.gate.open.set()
    await desk.answered()
    assert desk.sources.read(question()) == Sample(SUMS, "", "")


async def test_an_answer_lasts_its_time_and_is_asked_for_once(desk: Desk) -> None:
    desk.gate.open.set()
    desk.sources.read(question())
    await desk.answered()
    desk.clock[0] += 59
    for _ in range(5):
        desk.sources.read(question())
    await asyncio.sleep(0)
    assert desk.gate.calls == 1
    desk.clock[0] += 2
    assert desk.sources.read(question()).moments == SUMS, "the last one stands until the next one comes"
    await desk.answered()
    assert desk.gate.calls == 2


@pytest.mark.parametrize(
    ("answer", "reason", "message", "result"),
    [
        pytest.param(NoData("no arm", {}), "NoData", "no arm", "nodata", id="nothing"),
        pytest.param(SourceError("-1 units"), "SourceError", "-1 units", "error", id="no numbers"),
        pytest.param(SourceUnavailable("502"), "MetricUnavailable", "502", "error", id="a failure"),
        pytest.param(KeyError("s3cret"), "MetricUnavailable", "Prometheus: KeyError", "error", id="a bug"),
    ],
)
async def test_what_is_no_answer_says_why_and_is_counted(
    desk: Desk, answer: Any, reason: str, message: str, result: str
) -> None:
    labels = {"source": "Prometheus", "result": result}
    before = REGISTRY.get_sample_value("assay_metric_queries_total", labels) or 0
    desk.gate.answer = answer
    desk.gate.open.set()
    desk.sources.read(question())
    await desk.answered()
    assert desk.sources.read(question()) == Sample({}, reason, message)
    assert REGISTRY.get_sample_value("assay_metric_queries_total", labels) == before + 1


async def test_a_failure_keeps_the_last_numbers_and_says_that_they_are_old(desk: Desk) -> None:
    desk.gate.open.set()
    desk.sources.read(question())
    await desk.answered()
    desk.gate.answer = SourceUnavailable("502")
    desk.clock[0] += 61
    desk.sources.read(question())
    await desk.answered()
    assert desk.sources.read(question()) == Sample(SUMS, "MetricUnavailable", "502")


async def test_the_arms_that_have_numbers_are_shown_beside_what_is_missing(desk: Desk) -> None:
    desk.gate.answer = NoData("no boosted", {"control": SUMS["control"]})
    desk.gate.open.set()
    desk.sources.read(question())
    await desk.answered()
    assert desk.sources.read(question()) == Sample({"control": SUMS["control"]}, "NoData", "no boosted")


async def test_no_more_than_a_few_are_asked_at_once(desk: Desk) -> None:
    for n in range(3 * AT_ONCE):
        desk.sources.read(question(uid=f"uid-{n}"))
    async with asyncio.timeout(5):
        while desk.gate.inside < AT_ONCE:
            await asyncio.sleep(0)
    desk.gate.open.set()
    for _ in range(3 * AT_ONCE):
        await desk.answered()
    assert desk.gate.most == AT_ONCE


async def test_what_has_ended_is_asked_no_more(desk: Desk) -> None:
    desk.sources.read(question())
    desk.sources.read(question("other"))
    async with asyncio.timeout(5):
        while desk.gate.inside < 2:
            await asyncio.sleep(0)
    desk.sources.forget("uid-1")
    desk.sources.forget("uid-1")
    async with asyncio.timeout(5):
        while desk.gate.inside:
            await asyncio.sleep(0)
    assert desk.woken.empty()
    await desk.sources.close()


async def test_a_deferred_source_is_made_once_however_many_ask_and_give_up() -> None:
    made = []

    def make() -> Gate:
        made.append(Gate())
        made[0].open.set()
        return made[0]

    source = LazySource(make)
    now = datetime.now(UTC)
    impatient = asyncio.create_task(source.ask(question(), now))
    await asyncio.sleep(0)
    impatient.cancel()
    assert await asyncio.gather(*(source.ask(question(), now) for _ in range(3))) == [SUMS] * 3
    assert len(made) == 1


async def test_every_source_that_a_metric_may_name_is_answered() -> None:
    async def secret(ref: Ref, key: str) -> str:
        raise AssertionError(f"nobody reads {key} of {ref}")

    async with http() as session:
        assert metric_sources(Settings(), session, secret).keys() == QUERIES.keys()
