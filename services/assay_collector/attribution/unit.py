"""One unit in one Experiment: where it belongs, what it has reached, and what it adds to its arm. Pure."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from assay_assign import is_failure
from assay_collector.attribution.metric import Mark, Metric, Missing, Source

HOUR = 3_600_000_000
_IGNORE = Missing.IGNORE


class Excluded(IntEnum):
    """Why a unit is not analysed."""

    NO = 0
    CROSSOVER = 1
    BOT = 2


class Exposure(NamedTuple):
    """One request that was answered under an arm.

    Attributes:
        failed: Whether the shipper judged its answer an error; None of one that does not say.
    """

    key: bytes
    at: int
    unit: bytes
    arm: str
    served: str | None
    epoch: int
    status: int
    duration: int
    attempts: int
    sound: bool
    failed: bool | None = None


class Outcome(Struct, frozen=True, array_like=True, gc=False):
    """One fact about a unit, as it is kept until its Experiment is folded."""

    metric: int
    key: bytes
    at: int
    value: float
    arrived: int


class Unit(Struct, frozen=True, array_like=True, gc=False):
    """A unit of an Experiment: position of its arm, first exposure, and a mark for each metric."""

    arm: int
    first_at: int
    epoch: int
    exposures: int
    excluded: int
    marks: tuple[Mark | None, ...]

    def marked(self, marks: tuple[Mark | None, ...]) -> "Unit":
        """Return the unit with other marks."""
        return Unit(self.arm, self.first_at, self.epoch, self.exposures, self.excluded, marks)

    def without(self, why: Excluded) -> "Unit":
        """Return the unit, excluded from the analysis."""
        return replace(self, excluded=why)


class Patience(NamedTuple):
    """How far clocks and deliveries may be off, in microseconds.

    Attributes:
        skew: An outcome may carry a time this much before the first exposure: two machines, two clocks.
        lateness: An outcome may arrive this much after its window closed.
    """

    skew: int = 60_000_000
    lateness: int = 0

    def admits(self, window: int | None, first_at: int, at: int, arrived: int) -> bool:
        """Tell whether an outcome belongs to a unit first exposed at `first_at`."""
        if at < first_at - self.skew:
            return False
        if window is None:
            return True
        closes = first_at + window
        return at <= closes and arrived <= closes + self.lateness


def failed(metric: Metric, exposure: Exposure) -> bool:
    """Tell whether this answer is a bad one; a failure that another arm covered is the assigned arm's."""
    if metric.slower_than is not None:
        return exposure.duration > metric.slower_than
    if exposure.failed is not None:
        return exposure.failed
    return is_failure(exposure.status) or exposure.served != exposure.arm or exposure.attempts > 1


def enrolled(arm: int, exposure: Exposure, metrics: Sequence[Metric]) -> Unit:
    """Return a unit that is seen for the first time."""
    marks = tuple([_judged(None, metric, exposure) for metric in metrics])
    return Unit(arm, exposure.at, exposure.epoch, 1, 0, marks)


def exposed(unit: Unit, arm: int, exposure: Exposure, metrics: Sequence[Metric]) -> Unit:
    """Return the unit after one more exposure; the earliest one is its first, whichever arrives first."""
    first = exposure if exposure.at < unit.first_at else None
    return Unit(
        unit.arm,
        first.at if first else unit.first_at,
        first.epoch if first else unit.epoch,
        unit.exposures + 1,
        unit.excluded or (Excluded.CROSSOVER if arm != unit.arm else Excluded.NO),
        tuple([_judged(mark, metric, exposure) for mark, metric in zip(unit.marks, metrics, strict=True)]),
    )


def _judged(mark: Mark | None, metric: Metric, exposure: Exposure) -> Mark | None:
    if mark is None and metric.source is Source.GATEWAY and failed(metric, exposure):
        return Mark(1.0, exposure.at)
    return mark


def is_bot(unit: Unit, at: int, hourly: int) -> bool:
    """Tell whether a unit asks more than `hourly` times an hour; 0 never asks."""
    return 0 < hourly < unit.exposures / max(1.0, (at - unit.first_at) / HOUR)


def observed(unit: Unit, position: int, metric: Metric, mark: Mark) -> Unit:
    """Return the unit after an outcome that its metric admits; the same object if that changes nothing."""
    marks = unit.marks
    new = metric.combined(marks[position], mark)
    if new is marks[position]:
        return unit
    return unit.marked((*marks[:position], new, *marks[position + 1 :]))


def derived(
    unit: Unit, metrics: Sequence[Metric], outcomes: Iterable[tuple[int, Outcome]], patience: Patience
) -> Unit:
    """Return the unit with its Events marks made anew from all outcomes, each with its metric's position."""
    kept = (
        m if metric.source is Source.GATEWAY else None for m, metric in zip(unit.marks, metrics, strict=True)
    )
    unit = unit.marked(tuple(kept))
    for position, outcome in outcomes:
        metric = metrics[position]
        if patience.admits(metric.window, unit.first_at, outcome.at, outcome.arrived):
            unit = observed(unit, position, metric, Mark(outcome.value, outcome.at, outcome.arrived))
    return unit


def counted(unit: Unit | None, position: int, metric: Metric, closed_until: int) -> float | None:
    """Return the unit's value in its arm's sums, or None while it is not in them.

    Where a missing outcome is a zero, it enters when its window closes: first exposures to `closed_until`.
    """
    if unit is None or unit.excluded:
        return None
    mark = unit.marks[position]
    if metric.missing is _IGNORE:
        return None if mark is None else metric.shaped(mark)
    if metric.window is not None and unit.first_at > closed_until:
        return None
    return metric.shaped(mark)


def matured(unit: Unit | None, position: int, metric: Metric, mature_until: int) -> float | None:
    """Return the unit's value among mature units, or None while it is not; outcomes go on counting."""
    if unit is None or unit.excluded or unit.first_at > mature_until:
        return None
    return metric.shaped(unit.marks[position])


def delayed(unit: Unit | None, position: int, metric: Metric) -> int | None:
    """Return how long after its first exposure what the unit adds has arrived; None if it adds nothing."""
    if unit is None or unit.excluded:
        return None
    mark = unit.marks[position]
    return None if mark is None or not metric.shaped(mark) else mark.arrived - unit.first_at
