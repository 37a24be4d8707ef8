"""The only room that asks how the arms are doing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from assay_api import Metric, Ref
from assay_operator.decide.schema import Schema
from assay_operator.decide.summary import NOT_ASKED, ArmSummary, Reading, Sample, Summary
from assay_operator.decide.workload import PodState
from assay_operator.gateway import Endpoint
from assay_stats import Moments


class SourceUnavailable(Exception):  # noqa: N818
    """The collector could not be asked, or did not understand. Never a verdict, only a reason to wait."""


@dataclass(frozen=True)
class Changes:
    """Which Experiments have news, up to a revision."""

    revision: int
    experiments: tuple[str, ...]  # uids


class Outcomes(Protocol):
    """Where counts come from. Calls raise `SourceUnavailable`, and none blocks for longer than it says."""

    async def define(self, uid: str, definition: Mapping[str, Any]) -> None:
        """Say what is to be counted for an Experiment; idempotent."""

    async def summary(self, uid: str) -> Summary | None:
        """Return the counts so far, or None if the collector does not know the Experiment."""

    async def changes(self, since: int, timeout: float) -> Changes:  # noqa: ASYNC109  the server's bound
        """Wait until an Experiment has news after revision `since`, at most `timeout` seconds."""


@dataclass(frozen=True)
class Question:
    """One metric of a running Experiment that somebody else counts."""

    ref: Ref  # of the Model: whom to wake with the answer
    experiment: str
    uid: str
    metric: Metric
    arms: tuple[str, ...]
    started_at: datetime


class Source(Protocol):
    """Somebody who counts. One call at a time for a question; it ends within `timeout` by itself."""

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Moments]:
        """Return the sums of each arm since the start; none without data. Raises `SourceUnavailable`."""


class Counts(Protocol):
    """The collector's newest answers, without waiting for one."""

    def read(self, uid: str, ref: Ref) -> Reading:
        """Return the newest answer for an Experiment; its Model `ref` is woken by a newer one."""

    def forget(self, uid: str) -> None:
        """Read no more for an Experiment; idempotent."""


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
    "NOT_ASKED", "ArmSummary", "Changes", "Counts", "Outcomes", "Question", "Reading", "Sample", "Schemas",
    "Source", "SourceUnavailable", "Sources", "Studies", "Summary",
]  # fmt: skip
