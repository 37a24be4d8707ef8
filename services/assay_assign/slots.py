"""The hash space as 10,000 slots, and the intervals of it that the arms own."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from assay_assign.layer import SLOTS, WHOLE, Span

ALL = 100


class Interval(NamedTuple):
    """The slots `start <= slot < end` belong to `arm`."""

    arm: str
    start: int
    end: int

    @property
    def width(self) -> int:
        """How many slots these are."""
        return self.end - self.start


Table = tuple[Interval, ...]


def table(weights: Mapping[str, int], percent: float, within: Span = WHOLE) -> Table:
    """Enrol units until `percent` of all are on candidates; the first arm is the control.

    Arm i starts at its anchor, start + width * (w_1 + ... + w_(i-1)) / 100, and owns as many slots from
    there as its weight says of what is enrolled. As only the coverage grows, no unit that is enrolled ever
    changes its arm, and the ratio between the arms is the same at every step.

    Args:
        weights: Percent of the enrolled units for each arm, in order; they add up to 100.
        percent: Share of all units on candidates, above 0 and at most what the candidates own of `within`.
        within: The part of the hash space that there is: all of it, or a span of a layer.

    Raises:
        ValueError: The weights don't add up, or the percentage asks for more than there is.

    >>> table({"control": 50, "boosted": 50}, percent=5)
    (Interval(arm='control', start=0, end=500), Interval(arm='boosted', start=5000, end=5500))
    """
    control, *_ = weights.values()
    if sum(weights.values()) != ALL or min(weights.values()) <= 0:
        raise ValueError(f"weights {dict(weights)} must be positive and add up to {ALL}")
    most = (ALL - control) * within.width / SLOTS
    if not 0 < percent <= most:
        raise ValueError(
            f"percent {percent} must be above 0 and at most {most:g}, which is what the candidates own"
        )
    intervals, before = [], 0
    for arm, weight in weights.items():
        anchor = within.start + within.width * before // ALL
        owned = round(ALL * weight * percent / (ALL - control))
        intervals.append(Interval(arm, anchor, anchor + owned))
        before += weight
    return tuple(intervals)


def arm_at(intervals: Iterable[Interval], at: int) -> str | None:
    """Return the arm that owns slot `at`, or None where nobody is enrolled.

    >>> arm_at(table({"control": 50, "boosted": 50}, 5), 5100)
    'boosted'
    """
    return next((i.arm for i in intervals if i.start <= at < i.end), None)


def encode(intervals: Iterable[Interval]) -> str:
    """Write a table as one line of text.

    >>> encode(table({"control": 50, "boosted": 50}, 5))
    'control:0-500,boosted:5000-5500'
    """
    return ",".join(f"{arm}:{start}-{end}" for arm, start, end in intervals)


def decode(text: str) -> Table:
    """Read what `encode` wrote.

    Raises:
        ValueError: The text is no table: malformed, out of order, overlapping, or out of [0, 10000].

    >>> decode("control:0-500")
    (Interval(arm='control', start=0, end=500),)
    """
    intervals = tuple(_interval(part) for part in text.split(",")) if text else ()
    fence = [edge for i in intervals for edge in (i.start, i.end)]
    if any(a > b for a, b in pairwise([0, *fence, SLOTS])):
        raise ValueError(f"table {text!r} is not ascending within 0 to {SLOTS}")
    return intervals


def _interval(part: str) -> Interval:
    arm, _, span = part.rpartition(":")
    start, _, end = span.partition("-")
    if not (arm and start.isdecimal() and end.isdecimal()):
        raise ValueError(f"{part!r} is no interval; write arm:start-end")
    return Interval(arm, int(start), int(end))


def moved(before: Table, after: Table) -> str | None:
    """Return the first arm that loses a slot from one table to the next, or None if units only join.

    >>> moved(decode("a:0-10,b:10-20"), decode("a:0-15,b:15-20"))
    'b'
    """
    new = {i.arm: i for i in after}
    for arm, start, end in before:
        there = new.get(arm)
        if start < end and (there is None or there.start > start or there.end < end):
            return arm
    return None
