"""The collector's newest answers, read in the background: nobody waits for the collector."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from assay_api import Ref
from assay_operator.decide.summary import Reading
from assay_operator.telemetry import Outcomes, SourceUnavailable

AT_ONCE = 16  # questions at a time
REFRESH_SECONDS = 120.0  # between two readings of an Experiment that the collector has no news of
RETRY_SECONDS = 5.0  # after a failure


@dataclass
class _Known:
    """One Experiment: the newest answer, whom it is for, and when to ask again."""

    ref: Ref
    reading: Reading
    due: float = 0.0  # monotonic
    task: asyncio.Task[None] | None = None
    again: bool = False  # news came while the question was under way


class CountsReader:
    """Keeps one answer for each running Experiment, and at most one question under way for it."""

    def __init__(self, outcomes: Outcomes, wake: Callable[[Ref], None]) -> None:
        """Take whom to ask, and whom to tell that an answer came."""
        self._outcomes = outcomes
        self._wake = wake
        self._known: dict[str, _Known] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def read(self, uid: str, ref: Ref) -> Reading:
        """See `Counts.read`."""
        known = self._known.setdefault(uid, _Known(ref, Reading(pending=True)))
        if known.task is None and time.monotonic() >= known.due:
            self._ask(uid, known)
        return known.reading

    def changed(self, uid: str) -> None:
        """Read anew: the collector has news of an Experiment."""
        known = self._known.get(uid)
        if known is None:
            return
        if known.task is None:
            self._ask(uid, known)
        else:
            known.again = True

    def every_changed(self) -> None:
        """Read everything anew: the collector was silent, and whatever it said meanwhile is lost."""
        for uid in list(self._known):
            self.changed(uid)

    def forget(self, uid: str) -> None:
        """See `Counts.forget`."""
        if (known := self._known.pop(uid, None)) and known.task:
            known.task.cancel()

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = [known.task for known in self._known.values() if known.task]
        for uid in list(self._known):
            self.forget(uid)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask(self, uid: str, known: _Known) -> None:
        known.task = asyncio.create_task(self._refresh(uid, known))

    async def _refresh(self, uid: str, known: _Known) -> None:
        async with self._turn:
            known.again = False
            reading = await self._answer(uid)
        fault = bool(reading.fault)
        changed = reading != known.reading
        known.reading, known.task = reading, None
        known.due = time.monotonic() + (RETRY_SECONDS if fault else REFRESH_SECONDS)
        if fault:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self.changed, uid)
        if known.again:
            self._ask(uid, known)
        if changed and self._known.get(uid) is known:
            self._wake(known.ref)

    async def _answer(self, uid: str) -> Reading:
        try:
            return Reading(await self._outcomes.summary(uid))
        except SourceUnavailable as error:
            return Reading(fault=str(error))
