"""How inputs are written in cases: arms as sums or values, ranges as "1..1000", alternatives by name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay_stats.difference import Arm, arm
from assay_stats.fixed import Alternative, Question
from assay_stats.moments import Moments, PairMoments

TWO_SIDED = {"two-sided", "two_sided", "two.sided"}
ONE_SIDED = {"greater": "greater", "larger": "greater", "less": "less", "smaller": "less"}


def read_arm(sums: Mapping[str, Any] | Sequence[float]) -> Arm:
    """Read {n, sum, sumsq}, or {n, sum} of a proportion, or raw values."""
    if not isinstance(sums, Mapping):
        return arm(Moments.of(sums, shift=float(sums[0])), binary=False)
    if "sumsq" in sums:
        return arm(Moments(sums["n"], sums["sum"], sums["sumsq"]).checked(), binary=False)
    return arm(Moments.proportion(sums["n"], sums["sum"]), binary=True)


def read_arms(given: Mapping[str, Any]) -> tuple[Arm, Arm]:
    """Read control and treatment; of raw groups the difference is group1 - group2."""
    if "group1" in given:
        return read_arm(given["group2"]), read_arm(given["group1"])
    return read_arm(given["control"]), read_arm(given["treatment"])


def read_pairs(given: Mapping[str, Any]) -> tuple[PairMoments, PairMoments]:
    """Read control and treatment as six sums each."""
    names = ("n", "sum_y", "sumsq_y", "sum_x", "sumsq_x", "sum_xy")
    control, treatment = (
        PairMoments(*(given[side][name] for name in names)).checked() for side in ("control", "treatment")
    )
    return control, treatment


def read_question(given: Mapping[str, Any]) -> Question:
    """Read alpha and alternative."""
    return Question(given.get("alpha", 0.05), read_alternative(given))


def read_alternative(given: Mapping[str, Any]) -> Alternative:
    """Read the alternative; two-sided unless said.

    Raises:
        ValueError: A word that names no alternative.
    """
    word = given.get("alternative", "two-sided")
    if word in TWO_SIDED:
        return "two-sided"
    if word not in ONE_SIDED:
        raise ValueError(f"alternative: {word!r} is none of {sorted(TWO_SIDED | set(ONE_SIDED))}")
    return "greater" if ONE_SIDED[word] == "greater" else "less"


def read_values(written: str | Sequence[float], k: float = 0) -> list[float]:
    """Read values, written out or as "1..99,10000" or "1+k..1000+k".

    >>> read_values("1..3,10"), read_values("1+k..2+k", 5)
    ([1.0, 2.0, 3.0, 10.0], [6.0, 7.0])
    """
    if not isinstance(written, str):
        return [float(value) for value in written]
    values: list[float] = []
    for part in written.split(","):
        ends = [_number(end, k) for end in part.split("..")]
        values += [ends[0] + i for i in range(round(ends[-1] - ends[0]) + 1)]
    return values


def _number(text: str, k: float) -> float:
    match = re.fullmatch(r"\s*(-?[\d.]+)\s*(?:([+-])\s*k)?\s*", text)
    if not match:
        raise ValueError(f"values: {text!r} is neither a number nor a number plus k")
    sign = {"+": 1, "-": -1, None: 0}[match[2]]
    return float(match[1]) + sign * k
