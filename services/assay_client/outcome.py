"""What an application reports, and what it is told."""

import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Outcome:
    """A fact about a unit.

    Attributes:
        model: namespace/name of the Model.
        unit: What was in the unit header of the request.
        metric: Name of a metric of the Experiment.
        value: A number, or True and False.
        time: When it happened, Unix time in seconds; now, if not given.
        id: The same id for the same unit and metric counts once. Give one that you can make again, like an
            order's, if another process may repeat the report; else a random one is made.
    """

    model: str
    unit: str
    metric: str
    value: float = 1.0
    time: float = field(default_factory=time.time)
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def record(self) -> dict[str, Any]:
        """Return it as the collector wants it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of reported outcomes; see the collector's guide for what each means."""

    accepted: int = 0
    duplicates: int = 0
    unknown: int = 0
    orphans: int = 0
    late: int = 0

    def plus(self, other: "Counts") -> "Counts":
        """Return the counts of both."""
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))

    @classmethod
    def of(cls, answer: dict[str, int]) -> Self:
        """Read the collector's answer; what a later collector may add is left out."""
        return cls(**{name: answer[name] for name in cls.__slots__ if name in answer})
