"""The only room that asks how the arms are doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from assay_api import Metric, Ref
from assay_api.reason import Reason
from assay_operator.decide.bake import Answers, BakeReading, Watch
from assay_operator.decide.schema import Schema
from assay_operator.decide.summary import NO_SAMPLE, ArmSummary, Reading, Sample, Summary
from assay_operator.decide.workload import PodState
from assay_operator.gateway import Endpoint
from assay_stats import Moments


class SourceUnavailable(Exception):  # noqa: N818
    """A source could not be asked, or did not understand. Never a verdict, only a reason to wait."""

    reason = Reason.METRIC_UNAVAILABLE


class SourceError(SourceUnavailable):
    """A source answered with numbers that no data can have."""

    reason = Reason.SOURCE_ERROR


class NoData(SourceUnavailable):
    """A source answered, and has no numbers of an arm that takes part.

    Attributes:
        found: The sums of the arms that have some.
    """

    reason = Reason.NO_DATA

    def __init__(self, message: str, found: Mapping[str, Moments]) -> None:
        """Take what is missing, and what is not."""
        super().__init__(message)
        self.found = found


@dataclass(frozen=True)
class Changes:
    """Which Experiments have news, up to a revision."""

    revision: int
    experiments: tuple[str, ...]  # uids


class AnswerQuestion(NamedTuple):
    """Which answers to add up: of one version, in the seconds between two moments.

    Attributes:
        ref: The Model.
    """

    ref: Ref
    version: str
    since: datetime
    until: datetime | None = None


class Outcomes(Protocol):
    """Where counts come from. Calls raise `SourceUnavailable`, and none blocks for longer than it says."""

    async def define(self, uid: str, definition: Mapping[str, Any]) -> None:
        """Say what is to be counted for an Experiment; idempotent."""

    async def summary(self, uid: str) -> Summary | None:
        """Return the counts so far, or None if the collector does not know the Experiment."""

    async def changes(self, since: int, timeout: float) -> Changes:  # noqa: ASYNC109  the server's bound
        """Wait until an Experiment has news after revision `since`, at most `timeout` seconds."""

    async def answer_sums(self, questions: Sequence[AnswerQuestion]) -> tuple[Answers, ...]:
        """Return the sums over the seconds of each question, in their order."""


@dataclass(frozen=True)
class Question:
    """One metric of a running Experiment that somebody else counts."""

    ref: Ref  # of the Model: whom to wake with the answer
    experiment: str
    uid: str
    metric: Metric
    arms: tuple[str, ...]
    started_at: datetime
    dropped: frozenset[str] = frozenset()  # arms that were taken out, and may have no numbers any more

    @property
    def needed(self) -> tuple[str, ...]:
        """The arms that must have numbers."""
        return tuple(arm for arm in self.arms if arm not in self.dropped)


class MetricSource(Protocol):
    """Somebody who counts. One call at a time for a question; it ends within `timeout` by itself."""

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Moments]:
        """Return the sums of each arm since the start.

        Raises:
            NoData: An arm has no numbers.
            SourceError: The numbers cannot be.
            SourceUnavailable: There is no answer.
        """


class Counts(Protocol):
    """The collector's newest answers, without waiting for one."""

    def read(self, uid: str, ref: Ref) -> Reading:
        """Return the newest answer for an Experiment; its Model `ref` is woken by a newer one."""

    def forget(self, uid: str) -> None:
        """Read no more for an Experiment; idempotent."""


class Bakes(Protocol):
    """How watched champions answer, without waiting for the collector."""

    def read(self, ref: Ref, watch: Watch) -> BakeReading:
        """Return the newest answer about a Model's champion; the Model is woken by one that may matter."""

    def forget(self, ref: Ref) -> None:
        """Ask no more about a Model; idempotent."""


class Studies(Protocol):
    """How far trainings are, without waiting for one."""

    def read(self, version: str, ref: Ref, pods: tuple[PodState, ...]) -> Mapping[str, object]:
        """Return the newest word of a version's leading worker; its Model `ref` is woken by a newer one."""


class Schemas(Protocol):
    """What versions take, without waiting for a predictor."""

    def read(self, uid: str, ref: Ref, endpoints: tuple[Endpoint, ...]) -> Schema | None:
        """Return the schema of the version of that uid: pending while it is asked, None if it tells none.

        Its Model `ref` is woken when it is known.
        """


class Sources(Protocol):
    """Answers of those who count, as fresh as each metric wants them."""

    def read(self, question: Question) -> Sample:
        """Return the newest answer at once; who wants a newer one is woken when it comes."""

    def forget(self, uid: str) -> None:
        """Ask no more for an Experiment; idempotent."""


__all__ = [
    "NO_SAMPLE",
    "AnswerQuestion",
    "Answers",
    "ArmSummary",
    "BakeReading",
    "Bakes",
    "Changes",
    "Counts",
    "MetricSource",
    "NoData",
    "Outcomes",
    "Question",
    "Reading",
    "Sample",
    "Schemas",
    "SourceError",
    "SourceUnavailable",
    "Sources",
    "Studies",
    "Summary",
]  # fmt: skip
