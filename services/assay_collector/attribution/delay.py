"""How late the outcomes of a metric come: learned from counts of delays, so that old units are judged.

Pure. A young unit can only have had quick outcomes, so each delay counts as often as there are units old
enough to have had it (inverse probability weighting). What no unit is old enough for cannot be known; so
nothing is learned before the Experiment is twice as old as the lag. Arms are pooled, so that a difference
between them does not move the lag.
"""

from bisect import bisect_left
from collections.abc import Mapping
from math import sqrt

SECOND = 1_000_000
STEPS = 4  # cells while a time doubles
DOUBLINGS = 23  # from one second to 97 days
EDGES = tuple(round(SECOND * 2 ** (step / STEPS)) for step in range(STEPS * DOUBLINGS + 1))
COMPLETE = 0.9  # part of the outcomes that have come, surely, when a unit counts
SURE = 2.0  # standard errors of that part
OLD = 2  # times the lag, which the Experiment must be old

Counts = Mapping[int, int]
"""How often, by cell."""


def cell(microseconds: int) -> int:
    """Return the cell of a time: 0 up to a second, and then four while it doubles.

    >>> cell(-5), cell(SECOND), cell(SECOND + 1), cell(2 * SECOND)
    (0, 0, 1, 4)
    """
    return bisect_left(EDGES, microseconds)


def learned(delays: Counts, arrivals: Counts, age: int) -> int | None:
    """Return the microseconds after which a unit has had nearly all of its outcomes; None if not known yet.

    Args:
        delays: Units with an outcome, by the cell of the time from their first exposure to it.
        arrivals: Units, by the cell of the time from the start to their first exposure.
        age: Microseconds from the start to now.
    """
    weights = {at: count / _old_enough(arrivals, age, at) for at, count in delays.items() if count > 0}
    total = sum(weights.values())
    if not total:
        return None
    effective = total**2 / sum(weights[at] ** 2 / delays[at] for at in weights)
    so_far = 0.0
    for at in sorted(weights):
        so_far += weights[at]
        if at >= len(EDGES) or OLD * EDGES[at] > age:
            return None
        if _surely(min(1.0, so_far / total), effective) >= COMPLETE:
            return EDGES[at]
    return None


def _old_enough(arrivals: Counts, age: int, at: int) -> float:
    """Return the part of the units whose age is at least the delay of a cell; at least one unit's part."""
    units = sum(arrivals.values())
    latest = age - EDGES[min(at, len(EDGES) - 1)]
    old = sum(count * _before(part, latest) for part, count in arrivals.items())
    return max(old, 1.0) / max(units, 1)


def _before(part: int, latest: int) -> float:
    """Return the part of a cell that lies before a time, as if its units had come evenly."""
    low = EDGES[part - 1] if part else 0
    high = EDGES[min(part, len(EDGES) - 1)]
    return min(1.0, max(0.0, (latest - low) / (high - low))) if high > low else float(latest >= high)


def _surely(part: float, n: float) -> float:
    """Return the lower end of Wilson's interval."""
    spread = SURE * sqrt(part * (1 - part) / n + SURE**2 / (4 * n * n))
    return (part + SURE**2 / (2 * n) - spread) / (1 + SURE**2 / n)
