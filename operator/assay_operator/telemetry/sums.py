"""From what a query returned for each arm to sufficient statistics, or to a word on what is wrong with it.

Pure, and the only place where numbers of a source become evidence: what is missing or cannot be so never
reaches a decision.
"""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import isfinite
from typing import NamedTuple

from assay_operator.telemetry import NoData, Question, SourceError
from assay_stats import Moments

Exact = int | float | Fraction  # a Fraction where a database has exact numbers
LARGEST = 1e100  # beyond, squares overflow
WHOLE = 2.0**53  # whole numbers up to here are exact as floats
ROUNDING = 1e-9  # of the squares; what sums of floats may be off
CANCELS = 1e-10  # of the squares; of a spread below, only rounding is left in sums of floats


class Sums(NamedTuple):
    """What a query says of an arm.

    Attributes:
        n: Units; no whole number where Prometheus extrapolates.
        total: Sum of the values, each less `shift`.
        squares: Sum of their squares; None where nobody asked.
        variance: Sample variance of a value, which squares are not needed beside; None where nobody asked.
        shift: What was subtracted from every value.
    """

    n: Exact
    total: Exact
    squares: Exact | None = None
    variance: Exact | None = None
    shift: Exact = 0


def moments(
    rows: Mapping[str, Sums], question: Question, absent: Mapping[str, str] | None = None
) -> dict[str, Moments]:
    """Return the sums of every arm that is in the Experiment.

    Args:
        rows: What was returned, by arm.
        question: What was asked.
        absent: Why an arm is not among the rows, where more is known than that it has no units.

    Raises:
        NoData: An arm has no units; those that have some are `found`.
        SourceError: The numbers can't be sums of that many values, as more events than units.
    """
    binary = question.metric.type == "Proportion"
    checked = {arm: validated(arm, row, binary=binary) for arm, row in rows.items() if arm in question.arms}
    found = {arm: sums for arm, sums in checked.items() if sums.n}
    if missing := [arm for arm in question.needed if arm not in found]:
        raise NoData(_missing(question, missing, absent or {}), found)
    return found


def _missing(question: Question, arms: list[str], absent: Mapping[str, str]) -> str:
    if known := [absent[arm] for arm in arms if arm in absent]:
        return "; ".join(known)
    whom = "any arm" if len(arms) == len(question.needed) else f"arm {', '.join(arms)}"
    return f"{question.metric.source} has no data of {whom}"


def validated(arm: str, sums: Sums, *, binary: bool) -> Moments:
    """Return the sums of one arm, about its mean if they are not `binary`; none without a unit.

    Raises:
        SourceError: No values have such sums, or their spread is lost in them.
    """
    if fault := next(_faults(sums, binary=binary), None):
        raise SourceError(f"arm {arm}: {fault}")
    n = round(sums.n)
    if not n:
        return Moments(0, 0.0)
    return _proportion(n, sums) if binary else _mean(n, sums)


def _faults(sums: Sums, *, binary: bool) -> Iterator[str]:
    """Yield what no data can have; later checks rely on earlier ones."""
    given = {name: value for name, value in sums._asdict().items() if value is not None}
    if not all(isfinite(value) and abs(value) <= LARGEST for value in map(_float, given.values())):
        yield f"{ {name: _float(value) for name, value in given.items()} } are not all numbers"
    if sums.n < 0:
        yield f"n {float(sums.n):g} is not a count"
    if not round(sums.n):
        if sums.n == 0 and (sums.total or sums.squares):
            yield f"a sum of {float(sums.total):g} without a unit"
        return
    yield from _binary_faults(sums) if binary else _mean_faults(sums)


def _binary_faults(sums: Sums) -> Iterator[str]:
    if sums.shift:
        yield "a Proportion has no shift"
    if not 0 <= sums.total <= sums.n:
        yield f"sum {float(sums.total):g} is not a number of events among {float(sums.n):g} units"


def _mean_faults(sums: Sums) -> Iterator[str]:
    if sums.variance is not None:
        if sums.variance < 0:
            yield f"variance {float(sums.variance):g} is negative"
        return
    if sums.squares is None:
        yield "a Mean needs the sum of squares or the variance"
        return
    squares, spread = float(sums.squares), float(_spread(sums))
    if spread < (0 if _exact(sums) else -ROUNDING * squares) or squares < 0:
        yield f"the sum of squares is {squares:g}, and the sum demands at least {squares - spread:g}"
    if squares and not _exact(sums) and spread < CANCELS * squares:
        yield (
            f"the spread is lost beside a mean of {float(sums.total / sums.n):g}: let the query return the "
            "variance, or sums of value - shift"
        )


def _proportion(n: int, sums: Sums) -> Moments:
    """Where n is extrapolated, events may be a trifle more than the rounded units."""
    return Moments.proportion(n, min(float(sums.total), n))


def _mean(n: int, sums: Sums) -> Moments:
    """Return sums about the mean: plain ones cancel when it is large, or when n is rounded."""
    about = float(sums.shift + Fraction(sums.total) / Fraction(sums.n))
    if sums.variance is not None:
        return Moments(n, 0.0, float(sums.variance) * (n - 1), about).checked()
    spread = float(_spread(sums) * n / Fraction(sums.n))
    return Moments(n, 0.0, max(spread, 0.0), about).checked()


def _spread(sums: Sums) -> Fraction:
    """Return the sum of squared differences from the mean, without rounding."""
    return Fraction(sums.squares or 0) - Fraction(sums.total) ** 2 / Fraction(sums.n)


def _exact(sums: Sums) -> bool:
    return all(_is_exact(value) for value in (sums.n, sums.total, sums.squares or 0))


def _is_exact(value: Exact) -> bool:
    return not isinstance(value, float) or (value.is_integer() and abs(value) <= WHOLE)


def _float(value: Exact) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")
