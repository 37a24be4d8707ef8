"""Outcomes nobody has measured yet, for tests and dry runs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assay_api import Ref
from assay_operator.decide.bake import Watch
from assay_operator.telemetry import (
    NO_SAMPLE,
    AnswerQuestion,
    Answers,
    BakeReading,
    Changes,
    Question,
    Reading,
    Sample,
    SourceUnavailable,
    Summary,
)


@dataclass
class NoOutcomes:
    """`Outcomes` that answers what it was given; by default, nothing."""

    answers: dict[str, Summary] = field(default_factory=dict)
    definitions: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    answered: dict[str, Answers] = field(default_factory=dict)  # by version
    fault: str = ""

    async def define(self, uid: str, definition: Mapping[str, Any]) -> None:
        """See `Outcomes.define`."""
        self._answer()
        self.definitions[uid] = definition

    async def summary(self, uid: str) -> Summary | None:
        """See `Outcomes.summary`."""
        self._answer()
        return self.answer(uid)

    def answer(self, uid: str) -> Summary | None:
        """Return the counts of an Experiment, if there are any."""
        return self.answers.get(uid)

    async def changes(self, since: int, timeout: float) -> Changes:  # noqa: ASYNC109
        """See `Outcomes.changes`."""
        await asyncio.sleep(timeout)
        return Changes(since, ())

    async def answer_sums(self, questions: Sequence[AnswerQuestion]) -> tuple[Answers, ...]:
        """See `Outcomes.answer_sums`."""
        self._answer()
        return tuple(self.answered.get(each.version, Answers(0, 0.0)) for each in questions)

    def _answer(self) -> None:
        if self.fault:
            raise SourceUnavailable(self.fault)


@dataclass
class NoSources:
    """`Sources` that answers what it was given, by metric; by default, that it was not asked yet."""

    answers: dict[str, Sample] = field(default_factory=dict)

    def read(self, question: Question) -> Sample:
        """See `Sources.read`."""
        return self.answers.get(question.metric.name, NO_SAMPLE)

    def forget(self, uid: str) -> None:
        """See `Sources.forget`."""


@dataclass(frozen=True)
class DirectBakes:
    """`Bakes` of an `Outcomes` that answers at once, for tests and dry runs."""

    outcomes: NoOutcomes

    def read(self, ref: Ref, watch: Watch) -> BakeReading:  # noqa: ARG002  nobody has to be woken
        """See `Bakes.read`."""
        if self.outcomes.fault:
            return BakeReading(watch, fault=self.outcomes.fault)
        found = self.outcomes.answered
        none = Answers(0, 0.0)
        return BakeReading(watch, found.get(watch.champion, none), found.get(watch.former, none))

    def forget(self, ref: Ref) -> None:
        """See `Bakes.forget`."""


@dataclass(frozen=True)
class DirectCounts:
    """`Counts` of an `Outcomes` that answers at once, for tests and dry runs."""

    outcomes: NoOutcomes

    def read(self, uid: str, ref: Ref) -> Reading:  # noqa: ARG002  nobody has to be woken
        """See `Counts.read`."""
        if self.outcomes.fault:
            return Reading(fault=self.outcomes.fault)
        return Reading(self.outcomes.answer(uid))

    def forget(self, uid: str) -> None:
        """See `Counts.forget`."""
