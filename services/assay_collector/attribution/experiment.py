"""An Experiment as the collector knows it. Pure; the frozen part is set by the operator's first PUT."""

from collections.abc import Mapping
from dataclasses import dataclass

from assay_collector.attribution.metric import Metric, Missing, Source

Ref = tuple[str, str]  # namespace and name of a Model


@dataclass(frozen=True, slots=True)
class Plan:
    """What cannot change while an Experiment lives."""

    namespace: str
    model: str
    name: str
    arms: tuple[str, ...]
    metrics: tuple[Metric, ...]
    started_at: int | None

    def windowed(self) -> tuple[int, ...]:
        """Positions of the metrics whose units count when their window closes."""
        return tuple(
            position
            for position, metric in enumerate(self.metrics)
            if metric.missing is Missing.ZERO and metric.window is not None
        )

    def maturing(self) -> tuple[int, ...]:
        """Positions of the metrics that have sums of mature units beside those of all."""
        return tuple(position for position, metric in enumerate(self.metrics) if metric.lag is not None)

    def mature(self, position: int) -> int:
        """Return where the sums of a metric's mature units are kept, behind those of all metrics."""
        return len(self.metrics) + position

    def events(self) -> tuple[tuple[int, Metric], ...]:
        """Positions and metrics that the application feeds."""
        return tuple((p, metric) for p, metric in enumerate(self.metrics) if metric.source is Source.EVENTS)


@dataclass(frozen=True, slots=True)
class Experiment:
    """A Plan under its identity in the store.

    Attributes:
        id: Row number, which stands for `uid` in every other table.
        model: Row number of (namespace, model).
        positions: Which metric of the plan a stored outcome's metric number is.
        created_at: When the collector first heard of it, in microseconds.
    """

    id: int
    uid: str
    model: int
    plan: Plan
    positions: Mapping[int, int]
    created_at: int
    closed: bool

    @property
    def since(self) -> int:
        """From when on units are exposed, in microseconds since 1970."""
        return self.created_at if self.plan.started_at is None else self.plan.started_at


@dataclass(frozen=True, slots=True)
class Progress:
    """What may move while an Experiment lives."""

    slots: str
    epoch: int
    closed: bool
