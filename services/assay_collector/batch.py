"""What comes in and what is answered, between the edge and the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assay_collector.attribution.experiment import Plan, Progress, Ref
from assay_collector.attribution.unit import Exposure

Counts = Mapping[str, Sequence[int]]


class Reported(NamedTuple):
    """An outcome as the application sent it; the unit is a pseudonym already."""

    model: Ref
    unit: bytes
    metric: str
    key: bytes
    at: int
    value: float


@dataclass(frozen=True, slots=True)
class Exposures:
    """Exposures of one request, each with the uid of its Experiment."""

    rows: Sequence[tuple[str, Exposure]]

    def newest(self) -> int:
        """Return when the latest of them happened, in microseconds; 0 if there is none."""
        return max((exposure.at for _, exposure in self.rows), default=0)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Outcomes of one request."""

    rows: Sequence[Reported]

    def newest(self) -> int:
        """Return when the latest of them happened, in microseconds; 0 if there is none."""
        return max((reported.at for reported in self.rows), default=0)


@dataclass(frozen=True, slots=True)
class Counted:
    """A batch of counts.

    Attributes:
        owner: Namespace, Model, version and digest of the profile: only their counts may be added.
        source: The process that counted.
        sequence: Of the batch; one that is not above the last is known already.
        at: When the counts were taken, in microseconds.
        rows: How many rows were counted.
        columns: Counts by name, of features and of predictions.
    """

    owner: tuple[str, str, str, str]
    source: str
    sequence: int
    at: int
    rows: int
    columns: Mapping[str, Counts]

    def newest(self) -> int:
        """Return when the counts were taken, in microseconds."""
        return self.at


class Second(NamedTuple):
    """What one version, named by namespace, Model and version, answered in one second of Unix time.

    Attributes:
        counts: Requests, errors, and how many were slower than each bar of `assay_assign.SLOWER_THAN`.
    """

    owner: tuple[str, str, str]
    second: int
    counts: tuple[int, ...]


class SumQuery(NamedTuple):
    """A question for the sums over the seconds between two moments, Unix time."""

    owner: tuple[str, str, str]
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Answered:
    """Counts of answers, of one gateway."""

    rows: Sequence[Second]

    def newest(self) -> int:
        """Return when the latest of them ended at the latest, in microseconds; 0 if there is none."""
        return max((1_000_000 * (row.second + 1) for row in self.rows), default=0)


@dataclass(frozen=True, slots=True)
class Declared:
    """The operator's word on an Experiment."""

    uid: str
    plan: Plan
    progress: Progress


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: close windows or, if asked, forget what has expired."""

    sweep: bool = False


Batch = Exposures | Outcomes | Counted | Answered | Declared | Tick


@dataclass(slots=True)
class Answer:
    """How many records of a request became what.

    Attributes:
        accepted: New, and durable now.
        duplicates: Known already, by id.
        unknown: Of an Experiment, arm, Model or metric that nobody declared; or counts that don't fit.
        orphans: Accepted outcomes whose unit has not been exposed yet; they wait.
        late: Of a closed window or a closed Experiment; counted, never applied.
        unknown_metrics: Of the unknown, the names of metrics that no Experiment of their Model declares.
        changed: For a declaration: whether it said anything new; for a tick: whether there is more to do.
    """

    accepted: int = 0
    duplicates: int = 0
    unknown: int = 0
    orphans: int = 0
    late: int = 0
    unknown_metrics: tuple[str, ...] = ()
    changed: bool = False

    @property
    def records(self) -> int:
        """All of them."""
        return self.accepted + self.duplicates + self.unknown
