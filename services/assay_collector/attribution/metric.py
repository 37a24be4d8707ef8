"""What a metric makes of what came in for one unit. Pure; times are microseconds since 1970."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from msgspec import Struct


class Type(StrEnum):
    """What a unit's value is."""

    PROPORTION = "Proportion"
    MEAN = "Mean"


class Source(StrEnum):
    """Who reports it: the application, or the gateway in its exposure log."""

    EVENTS = "Events"
    GATEWAY = "Gateway"


class Missing(StrEnum):
    """What a unit without an outcome is: a zero, or no value at all."""

    ZERO = "Zero"
    IGNORE = "Ignore"


class Aggregate(StrEnum):
    """What several outcomes of one unit add up to."""

    ANY = "Any"
    FIRST = "First"
    LAST = "Last"
    SUM = "Sum"
    MAX = "Max"


_PROPORTION = Type.PROPORTION  # a member's look-up by name takes longer than what is done with it


class Mark(Struct, frozen=True, order=True, array_like=True, gc=False):
    """What one unit has reached on one metric, and when what decided it happened and arrived."""

    value: float
    at: int
    arrived: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of an Experiment, frozen when the Experiment starts.

    Attributes:
        window: Microseconds after the first exposure in which outcomes count; None is for ever.
        slower_than: Gateway only: microseconds above which an answer is bad; None asks for errors instead.
        cap: Winsorises a Mean: a unit's value is at most this.
        lag: Microseconds after the first exposure from which a unit is mature; None where that is not asked.
        learns_lag: Whether a shorter lag is learned from the delays of outcomes.
    """

    name: str
    type: Type
    source: Source
    window: int | None
    missing: Missing
    aggregate: Aggregate
    slower_than: int | None
    cap: float | None
    lag: int | None = None
    learns_lag: bool = False

    def shaped(self, mark: Mark | None) -> float:
        """Return what a unit with this mark adds to the sum."""
        value = 0.0 if mark is None else mark.value
        if self.type is _PROPORTION:
            return 1.0 if value else 0.0
        return value if self.cap is None else min(value, self.cap)

    def combined(self, old: Mark | None, new: Mark) -> Mark:
        """Return the mark after one more outcome; the order of arrival does not matter.

        It is the very `old` if the outcome changes nothing.
        """
        return new if old is None else _COMBINE[self.aggregate](old, new)


def _any(old: Mark, new: Mark) -> Mark:
    if bool(old.value) is not bool(new.value):
        return old if old.value else new
    first, arrived = (new if new.at < old.at else old), min(old.arrived, new.arrived)
    return first if first.arrived == arrived else Mark(first.value, first.at, arrived)


def _sum(old: Mark, new: Mark) -> Mark:
    return Mark(old.value + new.value, max(old.at, new.at), max(old.arrived, new.arrived))


def _first(old: Mark, new: Mark) -> Mark:
    return new if (new.at, new.value) < (old.at, old.value) else old


def _last(old: Mark, new: Mark) -> Mark:
    return new if (new.at, new.value) > (old.at, old.value) else old


def _max(old: Mark, new: Mark) -> Mark:
    return new if new > old else old


_COMBINE: Mapping[Aggregate, Callable[[Mark, Mark], Mark]] = {
    Aggregate.ANY: _any,
    Aggregate.FIRST: _first,
    Aggregate.LAST: _last,
    Aggregate.SUM: _sum,
    Aggregate.MAX: _max,
}
