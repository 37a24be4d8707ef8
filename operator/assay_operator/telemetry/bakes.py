"""How watched champions answer, read in the background: one question at a time for all of them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from assay_api import Ref
from assay_operator.decide.bake import LEVEL_WINDOW, Answers, BakeReading, Watch
from assay_operator.telemetry import AnswerQuestion, Outcomes, SourceUnavailable

PERIOD = 0.5  # seconds between two questions: users are back within two seconds
RETRY_SECONDS = 2.0  # after a failure
TOGETHER = 250  # champions in one question


@dataclass
class _Known:
    """One watched champion: the newest answer, and the one with which its Model was woken last."""

    watch: Watch
    reading: BakeReading
    heard: BakeReading


class BakesReader:
    """Asks while somebody is watched, and wakes a Model by news that may change what becomes of it."""

    def __init__(self, outcomes: Outcomes, wake: Callable[[Ref], None]) -> None:
        """Take whom to ask, and whom to tell that an answer came."""
        self._outcomes = outcomes
        self._wake = wake
        self._known: dict[Ref, _Known] = {}
        self._task: asyncio.Task[None] | None = None

    def read(self, ref: Ref, watch: Watch) -> BakeReading:
        """See `Bakes.read`."""
        known = self._known.get(ref)
        if known is None or known.watch != watch:
            nothing = BakeReading(watch)
            known = self._known[ref] = _Known(watch, nothing, nothing)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return known.reading

    def forget(self, ref: Ref) -> None:
        """See `Bakes.forget`."""
        self._known.pop(ref, None)

    async def close(self) -> None:
        """Ask nobody any more."""
        self._known.clear()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._known:
            healthy = True
            for some in _chunks(tuple(self._known.items())):
                healthy &= await self._refresh(some)
            await asyncio.sleep(PERIOD if healthy else RETRY_SECONDS)

    async def _refresh(self, some: Sequence[tuple[Ref, _Known]]) -> bool:
        """Read anew; whether the collector answered."""
        fault, found = "", tuple[Answers, ...]()
        try:
            found = await self._outcomes.answer_sums([each for pair in some for each in _questions(*pair)])
        except SourceUnavailable as error:
            fault = str(error)
        answers = iter(found)
        for ref, known in some:
            if fault:
                self._take(ref, known, replace(known.reading, fault=fault))
            else:
                former = known.reading.former
                champion, new = next(answers), former if _is_known(former) else next(answers)
                self._take(ref, known, BakeReading(known.watch, champion, new))
        return not fault

    def _take(self, ref: Ref, known: _Known, reading: BakeReading) -> None:
        known.reading = reading
        if _matters(known.heard, reading) and self._known.get(ref) is known:
            known.heard = reading
            self._wake(ref)


def _chunks(known: Sequence[tuple[Ref, _Known]]) -> Sequence[Sequence[tuple[Ref, _Known]]]:
    return [known[at : at + TOGETHER] for at in range(0, len(known), TOGETHER)]


def _is_known(former: Answers | None) -> bool:
    """Whether the level of the former champion was read: it is past, and does not change."""
    return former is not None and former.seconds > 0


def _questions(ref: Ref, known: _Known) -> list[AnswerQuestion]:
    watch = known.watch
    questions = [AnswerQuestion(ref, watch.champion, watch.since)]
    if not _is_known(known.reading.former):
        since = watch.since - LEVEL_WINDOW
        questions.append(AnswerQuestion(ref, watch.former, since, watch.since))
    return questions


def _matters(heard: BakeReading, now: BakeReading) -> bool:
    """Whether more is bad, or known, than when the Model was woken; good seconds are no news."""
    before, after = heard.champion, now.champion
    worse = after is not None and (
        before is None or (before.errors, before.slow) != (after.errors, after.slow)
    )
    return worse or heard.fault != now.fault or heard.former != now.former
