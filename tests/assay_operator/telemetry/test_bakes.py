"""Watched champions are asked about in the background, all in one question, and news wake their Models."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from assay_api import Ref
from assay_operator.decide.bake import Watch
from assay_operator.telemetry import AnswerQuestion, Answers, BakeReading, bakes
from assay_operator.telemetry.bakes import BakesReader
from assay_operator.telemetry.nop import NoOutcomes

CHURN, OTHER = Ref("team", "churn"), Ref("team", "other")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Answers(600, 0.0)


def watched(model: str = "churn", since: datetime = SINCE) -> Watch:
    return Watch(f"{model}-2", f"{model}-1", since, since + timedelta(minutes=10))


@dataclass
class Counting(NoOutcomes):
    """Remembers what it was asked."""

    rounds: list[tuple[AnswerQuestion, ...]] = field(default_factory=list)

    async def answer_sums(self, questions: Sequence[AnswerQuestion]) -> tuple[Answers, ...]:
        self.rounds.append(tuple(questions))
        return await super().answer_sums(questions)


@dataclass
class Desk:
    """A reader, who is asked, and who was woken."""

    outcomes: Counting
    reader: BakesReader
    woken: asyncio.Queue[Ref]

    async def heard(self) -> Ref:
        async with asyncio.timeout(10):
            return await self.woken.get()

    async def wait_rounds(self, times: int) -> None:
        """Wait until the collector was asked that often more."""
        until = len(self.outcomes.rounds) + times
        async with asyncio.timeout(10):
            while len(self.outcomes.rounds) < until:
                await asyncio.sleep(0.001)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(bakes, "PERIOD", 0.005)
    monkeypatch.setattr(bakes, "RETRY_SECONDS", 0.005)
    outcomes, woken = Counting(), asyncio.Queue[Ref]()
    outcomes.answered |= {"churn-1": GOOD, "other-1": GOOD}
    reader = BakesReader(outcomes, woken.put_nowait)
    yield Desk(outcomes, reader, woken)
    await reader.close()


async def test_the_first_answer_wakes_the_model_and_good_seconds_do_not(desk: Desk) -> None:
    assert desk.reader.read(CHURN, watched()) == BakeReading(watched())
    assert await desk.heard() == CHURN
    assert desk.reader.read(CHURN, watched()) == BakeReading(watched(), Answers(0, 0.0), GOOD)
    for seconds in range(1, 5):
        desk.outcomes.answered["churn-2"] = Answers(seconds, 0.0)
        await desk.wait_rounds(2)
    assert desk.woken.empty()
    assert desk.reader.read(CHURN, watched()).champion == Answers(4, 0.0)
    desk.outcomes.answered["churn-2"] = Answers(5, 0.1)
    assert await desk.heard() == CHURN


async def test_all_of_them_are_one_question_and_a_level_that_is_read_is_not_asked_again(desk: Desk) -> None:
    desk.reader.read(CHURN, watched())
    desk.reader.read(OTHER, watched("other"))
    assert {await desk.heard(), await desk.heard()} == {CHURN, OTHER}
    await desk.wait_rounds(2)
    first, last = desk.outcomes.rounds[0], desk.outcomes.rounds[-1]
    ten = timedelta(minutes=10)
    assert first == (
        AnswerQuestion(CHURN, "churn-2", SINCE), AnswerQuestion(CHURN, "churn-1", SINCE - ten, SINCE),
        AnswerQuestion(OTHER, "other-2", SINCE), AnswerQuestion(OTHER, "other-1", SINCE - ten, SINCE),
    )  # fmt: skip
    assert [each.version for each in last] == ["churn-2", "other-2"]


async def test_silence_is_told_once_and_keeps_what_was_read(desk: Desk) -> None:
    desk.outcomes.answered["churn-2"] = Answers(9, 1.0)
    desk.reader.read(CHURN, watched())
    await desk.heard()
    desk.outcomes.fault = "away"
    assert await desk.heard() == CHURN
    assert desk.reader.read(CHURN, watched()) == BakeReading(watched(), Answers(9, 1.0), GOOD, "away")
    await desk.wait_rounds(3)
    assert desk.woken.empty()
    desk.outcomes.fault = ""
    assert await desk.heard() == CHURN
    assert desk.reader.read(CHURN, watched()).fault == ""


async def test_another_change_is_read_anew_and_who_is_forgotten_is_not_asked_about(desk: Desk) -> None:
    desk.reader.read(CHURN, watched())
    await desk.heard()
    later = watched(since=SINCE + timedelta(hours=1))
    assert desk.reader.read(CHURN, later) == BakeReading(later)
    assert await desk.heard() == CHURN
    desk.reader.forget(CHURN)
    desk.reader.forget(OTHER)
    desk.reader.read(OTHER, watched("other"))
    await desk.heard()
    await desk.wait_rounds(1)
    assert {each.ref for each in desk.outcomes.rounds[-1]} == {OTHER}
