"""A layer: one hash space that several Experiments share without sharing a unit."""

from collections.abc import Iterable
from typing import NamedTuple

SLOTS = 10_000
SLOTS_PER_PERCENT = SLOTS // 100


class Span(NamedTuple):
    """The slots `start <= slot < end`."""

    start: int
    end: int

    @property
    def width(self) -> int:
        """How many slots these are."""
        return self.end - self.start


WHOLE = Span(0, SLOTS)


def gaps(taken: Iterable[Span]) -> tuple[Span, ...]:
    """Return the spans that nobody has taken, from left to right.

    >>> gaps([Span(2000, 5000)])
    (Span(start=0, end=2000), Span(start=5000, end=10000))
    """
    free, at = [], 0
    for start, end in sorted(taken):
        if start > at:
            free.append(Span(at, start))
        at = max(at, end)
    return tuple(free) if at >= SLOTS else (*free, Span(at, SLOTS))


def room(taken: Iterable[Span], share: int) -> Span | None:
    """Return a span of `share` percent of the layer that touches none of `taken`, or None if none is free.

    The smallest gap that is large enough is cut, so that large gaps stay for who needs them.

    Raises:
        ValueError: The share is not within 1 to 100.

    >>> room([Span(0, 2000), Span(5000, 10000)], share=20)
    Span(start=2000, end=4000)
    """
    if not 1 <= share <= SLOTS // SLOTS_PER_PERCENT:
        raise ValueError(f"share {share} is not within 1 to 100")
    width = share * SLOTS_PER_PERCENT
    fitting = [gap for gap in gaps(taken) if gap.width >= width]
    if not fitting:
        return None
    best = min(fitting, key=lambda gap: (gap.width, gap.start))
    return Span(best.start, best.start + width)
