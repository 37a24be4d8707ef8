"""How inputs are written in cases: arms as sums or values, ranges as "1..1000", alternatives by name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay_stats.difference import Arm, arm
from assay_stats.fixed import Alternative, Question
from assay_stats.moments import Moments, PairMoments
from assay_stats.ratio import ratio_arm

TWO_SIDED = {"two-sided", "two_sided", "two.sided"}
ONE_SIDED = {"greater": "greater", "larger": "greater", "less": "less", "smaller": "less"}


def read_arm(sums: Mapping[str, Any] | Sequence[float]) -> Arm:
    """Read {n, sum, sumsq}, {n, sum} of a proportion, {n, mean, sd | var | se}, six sums, or raw values."""
    if not isinstance(sums, Mapping):
        return arm(Moments.of(sums, shift=float(sums[0])), binary=False)
    if "mean" in sums:
        return Arm(sums["n"], sums["mean"], _variance(sums))
    if "sum_y" in sums:
        return ratio_arm(_pair(sums))
    if "sumsq" in sums:
        return arm(Moments(sums["n"], sums["sum"], sums["sumsq"]).checked(), binary=False)
    return arm(Moments.proportion(sums["n"], sums["sum"]), binary=True)


def _variance(sums: Mapping[str, Any]) -> float:
    """Read the variance of one unit, by whichever name it has."""
    for name, power, per in (("sd", 2, 1), ("var", 1, 1), ("variance", 1, 1), ("se", 2, sums["n"])):
        if name in sums:
            return float(sums[name]) ** power * per
    raise ValueError(f"arm: {sorted(sums)} has a mean and no spread")


def read_arms(given: Mapping[str, Any]) -> tuple[Arm, Arm]:
    """Read control and treatment; of raw groups the difference is group1 - group2."""
    if "group1" in given:
        first, second = read_groups(given)
        return read_arm(second), read_arm(first)
    return read_arm(given["control"]), read_arm(given["treatment"])


def read_groups(given: Mapping[str, Any]) -> tuple[Sequence[float], Sequence[float]]:
    """Read two groups of raw values, the one that is subtracted last.

    Raises:
        ValueError: `diff` names another difference than that of the two.
    """
    order = str(given.get("diff", "group1-group2")).replace(" ", "")
    if order not in {"group1-group2", "group2-group1"}:
        raise ValueError(f"diff: {order!r} is no difference of group1 and group2")
    groups = given["group1"], given["group2"]
    return groups if order == "group1-group2" else (groups[1], groups[0])


def read_pairs(given: Mapping[str, Any]) -> tuple[PairMoments, PairMoments]:
    """Read control and treatment as six sums each."""
    return _pair(given["control"]), _pair(given["treatment"])


def _pair(sums: Mapping[str, Any]) -> PairMoments:
    names = ("n", "sum_y", "sumsq_y", "sum_x", "sumsq_x", "sum_xy")
    return PairMoments(*(sums[name] for name in names)).checked()


def read_question(given: Mapping[str, Any]) -> Question:
    """Read alpha and alternative."""
    return Question(given.get("alpha", 0.05), read_alternative(given))


def read_alternative(given: Mapping[str, Any]) -> Alternative:
    """Read the alternative; two-sided unless said.

    Raises:
        ValueError: A word that names no alternative, or one that contradicts `two_sided`.
    """
    word = given.get("alternative", "two-sided")
    if "two_sided" in given and bool(given["two_sided"]) != (word in TWO_SIDED):
        raise ValueError(f"two_sided: {given['two_sided']} contradicts the alternative {word!r}")
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
