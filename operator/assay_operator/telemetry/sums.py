"""From what a query returned for each arm to sufficient statistics, or to a word on what is wrong with it."""

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from assay_operator.telemetry import Question, SourceUnavailable
from assay_stats import Moments


class Sums(NamedTuple):
    """What a query says of an arm; `squares` is None where nobody asked."""

    n: float
    total: float
    squares: float | None


def moments(rows: Mapping[str, Sums], question: Question) -> dict[str, Moments]:
    """Return the sums of each arm that has units.

    Raises:
        SourceUnavailable: The numbers can't be sums of that many values, as more events than units.
    """
    binary = question.metric.type == "Proportion"
    found = {arm: _checked(arm, sums, binary=binary) for arm, sums in rows.items()}
    return {arm: sums for arm, sums in found.items() if sums.n}


def _checked(arm: str, sums: Sums, *, binary: bool) -> Moments:
    """Counts may be no integers, as Prometheus extrapolates; then events may be a trifle more than units."""
    if not all(isfinite(value) for value in (sums.n, sums.total, sums.squares or 0.0)):
        raise SourceUnavailable(f"arm {arm}: {tuple(sums)} are not all numbers")
    if sums.squares is None and not binary:
        raise SourceUnavailable(f"arm {arm}: a Mean needs the sum of squares")
    n = round(sums.n)
    try:
        if binary:
            total = min(sums.total, n) if sums.total <= sums.n else sums.total
            return Moments.proportion(n, total)
        return Moments(n, sums.total, sums.squares or 0.0).checked()
    except ValueError as error:
        raise SourceUnavailable(f"arm {arm}: {error}") from error
