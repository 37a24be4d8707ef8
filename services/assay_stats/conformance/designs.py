"""Families of planning: group sequential boundaries, alpha spending, power."""

import re
from collections.abc import Mapping
from math import inf
from typing import Any

from assay_stats import groupsequential, power
from assay_stats.groupsequential import Spending

Given = Mapping[str, Any]
Wanted = frozenset[str]
Answers = dict[str, Any]
DELTA = {"pocock": 0.5, "p": 0.5, "obrienfleming": 0.0, "of": 0.0, "obf": 0.0}


def group_sequential(given: Given, _: Wanted) -> Answers:
    """Classic boundaries for equal looks."""
    word = re.sub(r"[^a-z]", "", str(given.get("design", "")).lower())
    delta = given["delta"] if "delta" in given else DELTA[word]
    _check_spacing(given)
    crit = groupsequential.classic(given["kMax"], given["alpha"], given.get("sided", 2), delta)
    return {"crit": list(crit), "published_const": crit[0], "published_final_const": crit[-1]}


def alpha_spending(given: Given, _: Wanted) -> Answers:
    """Boundaries of a spending function at equal or given information."""
    looks = groupsequential.boundaries(
        _fractions(given), given["alpha"], sides=given.get("sided", 1), spending=_spending(given)
    )
    z = [min(bound, given.get("cap_z", inf)) for bound in looks.z]
    return {
        "crit": z,
        "alpha_spent": list(looks.spent),
        "published_const": z[0],
        "published_final_const": z[-1],
    }


def _check_spacing(given: Given) -> None:
    if not given.get("equal_spacing", True):
        raise ValueError("equal_spacing: without it the looks must be in info")


def _fractions(given: Given) -> tuple[float, ...]:
    if "info" in given:
        return tuple(float(t) for t in given["info"])
    _check_spacing(given)
    return tuple(k / given["kMax"] for k in range(1, given["kMax"] + 1))


def _spending(given: Given) -> Spending:
    word = str(given["spending"])
    if match := re.fullmatch(r"\s*a(?:lpha)?\s*\*\s*t\s*(?:(?:\^|\*\*)\s*([\d.]+))?\s*", word):
        return Spending("Power", float(match[1] or 1))
    letters = re.sub(r"[^a-z]", "", word.lower())
    if letters.startswith("power") or letters in {"kimdemets", "askd", "kd"}:
        return Spending("Power", _exponent(given))
    if letters in {"hwangshihdecani", "hsd", "ashsd"}:
        return Spending("HwangShihDeCani", float(given.get("gamma", given.get("phi", 0))))
    if letters.endswith(("pocock", "asp")):
        return Spending("Pocock")
    if letters.endswith(("of", "obf", "obrienfleming")):
        return Spending("OBrienFleming")
    raise ValueError(f"spending: {word!r} names no spending function")


def _exponent(given: Given) -> float:
    """Read the power family's exponent, by whichever name it has, or from "power(2)"."""
    for name in ("phi", "rho", "gamma", "gammaA", "exponent", "k"):
        if name in given:
            return float(given[name])
    if match := re.search(r"[\d.]+", str(given["spending"])):
        return float(match[0])
    raise ValueError(f"spending: {given['spending']!r} needs an exponent (phi, rho or gamma)")


def power_gs(given: Given, _: Wanted) -> Answers:
    """How much larger the maximum size of a group sequential design is than one look's."""
    fractions = _fractions(given)
    sided = given.get("sided", 1)
    alpha, wanted = given["alpha"] / sided, 1 - given["beta"] if "beta" in given else given["power"]
    k = len(fractions)
    designs = {
        "asOF": groupsequential.boundaries(fractions, alpha, sides=1).z,
        "asP": groupsequential.boundaries(fractions, alpha, sides=1, spending=Spending("Pocock")).z,
        "OF": groupsequential.classic(k, alpha, 1, 0.0),
        "Pocock": groupsequential.classic(k, alpha, 1, 0.5),
    }
    return {name: groupsequential.inflation(fractions, z, alpha, wanted) for name, z in designs.items()}


def power_family(given: Given, _: Wanted) -> Answers:
    """Power or size, whichever is missing, by the convention that the input's names call for."""
    test = power.Test(given.get("alpha", 0.05), _sides(given), _ratio(given))
    if "p1" in given:
        return _two_rates(given, test)
    if "p" in given:
        variance = given["p"] * (1 - given["p"])
        return {
            "rule_n": power.rule_of_16(given["p"], given["delta"]),
            "exact_n": power.plain_units((variance, variance), given["delta"], given.get("power", 0.8), test),
        }
    if "effect_size" in given or "delta" in given:
        effect = given["effect_size"] if "effect_size" in given else given["delta"] / given.get("sd", 1)
        return _standardised(given, effect, test)
    return _detectable(given, test)


def _ratio(given: Given) -> float:
    return float(given["n2"] / given["n1"] if "n2" in given else given.get("ratio", 1.0))


def _units(given: Given) -> float | None:
    """Read the first group's units; None if they are what is asked for."""
    return next((float(given[name]) for name in ("n", "n1") if name in given), None)


def _sides(given: Given) -> int:
    sides = {
        _one_or_two(given[name]) for name in ("alternative", "sided", "sides", "two_sided") if name in given
    }
    if len(sides) > 1:
        raise ValueError("alternative, sided, sides and two_sided contradict each other")
    return next(iter(sides), 2)


def _one_or_two(word: Any) -> int:
    return 2 if str(word) in {"2", "True", "two-sided", "two.sided", "two_sided"} else 1


def _two_rates(given: Given, test: power.Test) -> Answers:
    p1, n = given["p1"], _units(given)
    if "p2" not in given:
        if n is None:
            raise ValueError("input: p2 or n is needed beside p1")
        p2 = power.solve(lambda p: power.proportion_power(p1, p, n, test), given["power"], p1, 1.0)
        return {"p2": p2}
    p2 = given["p2"]
    if n is not None:
        return {"power": power.proportion_power(p1, p2, n, test)}
    variances, wanted = (p1 * (1 - p1), p2 * (1 - p2)), given["power"]
    pooled = power.proportion_units(p1, p2, wanted, test)
    arcsine = power.arcsine_units(p1, p2, wanted, test)
    return {
        "n": pooled, "n_pooled": pooled, "n_arcsine": arcsine,
        "n_plain": power.plain_units(variances, p2 - p1, wanted, test),
        "n_t": None, "n_z": arcsine, "n2": pooled * test.ratio, "n_total": pooled * (1 + test.ratio),
    }  # fmt: skip


def _standardised(given: Given, effect: float, test: power.Test) -> Answers:
    if (n := _units(given)) is not None:
        by_t, by_z = (form(effect, n, test) for form in (power.t_power, power.z_power))
        return {"power": by_t, "power_t": by_t, "power_z": by_z}
    least = 2.0 / (1 + test.ratio) + 1.0
    by_t, by_z = (
        power.solve(lambda n, form=form: form(effect, n, test), given["power"], low, 1000.0)  # type: ignore[misc]
        for form, low in ((power.t_power, least), (power.z_power, 1e-3))
    )
    return {"n": by_t, "n_t": by_t, "n_z": by_z}


def _detectable(given: Given, test: power.Test) -> Answers:
    n, wanted = given["n1" if "n1" in given else "n"], given["power"]
    by_t, by_z = (
        power.solve(lambda d, form=form: form(d, n, test), wanted, 1e-9, 1.0)  # type: ignore[misc]
        for form in (power.t_power, power.z_power)
    )
    return {
        "delta": by_t * given.get("sd", 1), "effect_size": by_t,
        "delta_z": by_z * given.get("sd", 1), "effect_size_z": by_z,
    }  # fmt: skip


FAMILIES = {
    "group_sequential": group_sequential,
    "alpha_spending": alpha_spending,
    "power": power_family,
    "power_gs": power_gs,
}
