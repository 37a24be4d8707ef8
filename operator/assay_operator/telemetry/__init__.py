"""The only room that asks how the arms are doing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

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
    audit_mismatches: int = 0
    crossover_units: int = 0


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
