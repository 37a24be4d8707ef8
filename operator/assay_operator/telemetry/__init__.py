"""The only room that asks how the arms are doing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from assay_api import Metric, Ref
from assay_operator.decide.observed import NOTHING_STRANGE, Findings
from assay_stats import Moments


class NoAnswer(Exception):  # noqa: N818  it reads as a sentence: the collector gave no answer
    """The collector could not be asked, or did not understand. Never a verdict, only a reason to wait."""


@dataclass(frozen=True)
class ArmSummary:
    """What one arm has seen."""

    units: int
    exposures: int
    moments: Mapping[str, Moments]


@dataclass(frozen=True)
class Summary:
    """What an Experiment has seen."""

    arms: Mapping[str, ArmSummary] = field(default_factory=dict)
    last_ingest: datetime | None = None
    findings: Findings = NOTHING_STRANGE


@dataclass(frozen=True)
class Changes:
    """Which Experiments have news, up to a revision."""

    revision: int
    experiments: tuple[str, ...]  # uids


class Outcomes(Protocol):
    """Where counts come from. Every call may raise `NoAnswer`, and none blocks for more than it says."""

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


@dataclass(frozen=True)
class Sample:
    """The newest answer: the sums of each arm, and why there is nothing newer, if so."""

    moments: Mapping[str, Moments] = field(default_factory=dict)
    reason: str = "NoData"  # of a hold; empty when all is well
    message: str = "not asked yet"


NOT_ASKED = Sample()


class Source(Protocol):
    """Somebody who counts. One call at a time for a question; it ends within `timeout` by itself."""

    async def ask(self, question: Question, now: datetime) -> Mapping[str, Moments]:
        """Return the sums of each arm since the start; none if there is no data. Raises `NoAnswer`."""


class Sources(Protocol):
    """Answers of those who count, as fresh as each metric wants them."""

    def read(self, question: Question) -> Sample:
        """Return the newest answer at once; who wants a newer one is woken when it comes."""

    def forget(self, uid: str) -> None:
        """Ask no more for an Experiment; idempotent."""
