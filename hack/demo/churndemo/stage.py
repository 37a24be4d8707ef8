"""What has happened so far, for the picture on the terminal, the plot and the verdict on the demo itself."""

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from assay_cli.watch_trail import Look, Trail
from assay_cli.watch_view import Observation
from churndemo.ledger import Ledger

State = Literal["waiting", "running", "done", "failed"]


@dataclass
class Chapter:
    """One part of the story, and how it went."""

    title: str
    state: State = "waiting"
    note: str = ""
    began: float = 0.0  # unix seconds
    ended: float = 0.0

    def seconds(self) -> float:
        """Return how long it took, or takes already."""
        return (self.ended or time.time()) - self.began if self.began else 0.0


class Promise(NamedTuple):
    """Something that the demo promises, and whether it was so."""

    text: str
    held: bool
    detail: str = ""


class Step(NamedTuple):
    """From a moment on, so many percent of all units were on candidates."""

    at: float  # unix seconds
    percent: float


class Sample(NamedTuple):
    """What users had seen up to a moment."""

    at: float  # unix seconds
    requests: int
    failed: int
    by_version: dict[str, int]


@dataclass
class Stage:
    """Everything that is known, while it happens."""

    chapters: list[Chapter]
    ledger: Ledger = field(default_factory=Ledger)
    trail: Trail = field(default_factory=Trail)
    guards: dict[str, list[Look]] = field(default_factory=dict)  # experiment -> looks at its error guardrail
    observation: Observation = field(default_factory=lambda: Observation(None))
    steps: dict[str, list[Step]] = field(default_factory=dict)  # by experiment
    ends: dict[str, float] = field(default_factory=dict)  # experiment -> when its verdict was seen
    samples: list[Sample] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)
    began: float = field(default_factory=time.time)

    def sample(self) -> None:
        """Note what users have seen up to now."""
        versions = dict(+Counter(self.ledger.answers_by_version))
        self.samples.append(Sample(time.time(), self.ledger.requests, self.ledger.failed, versions))

    def promise(self, text: str, held: bool, detail: str = "") -> None:  # noqa: FBT001  the point of it
        """Note whether a promise was kept."""
        self.promises.append(Promise(text, held, detail))

    @property
    def kept(self) -> bool:
        """Whether all chapters came to their end and every promise was kept."""
        return all(c.state == "done" for c in self.chapters) and all(
            promise.held for promise in self.promises
        )
