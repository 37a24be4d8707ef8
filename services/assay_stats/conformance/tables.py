"""Families of counts and small data: proportions, exact tests, quantiles, ranks, caps, clusters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay_stats import offline, proportions, quantiles
from assay_stats.conformance import recipe
from assay_stats.conformance.reading import read_alternative, read_groups, read_values
from assay_stats.moments import Moments
from assay_stats.winsor import cap, capped

Given = Mapping[str, Any]
Wanted = frozenset[str]
Answers = dict[str, Any]


def proportion_ci(given: Given, _: Wanted) -> Answers:
    """Intervals of one rate {x, n} or of a difference of two."""
    alpha = given.get("alpha", 0.05)
    if "x" in given:
        one = {"wilson": proportions.wilson, "clopper_pearson": proportions.clopper_pearson}
        return {name: list(form(given["x"], given["n"], alpha)) for name, form in one.items()}
    control, treatment = given["control"], given["treatment"]
    table = proportions.Table(control["sum"], control["n"], treatment["sum"], treatment["n"])
    two = {
        "newcombe": proportions.newcombe,
        "agresti_caffo": proportions.agresti_caffo,
        "score": proportions.score,
        "wald": proportions.wald,
    }
    return {name: list(form(table, alpha)) for name, form in two.items()}


def proportion_k(given: Given, _: Wanted) -> Answers:
    """Equal rates in k groups."""
    statistic, df, p = proportions.chi_square(given["x"], given["n"])
    return {"chi2": statistic, "df": df, "p": p}


def exact(given: Given, _: Wanted) -> Answers:
    """Fisher's exact test."""
    (a, b), (c, d) = given["table"]
    odds = a * d / (b * c) if b * c else None
    return {"p": proportions.fisher(given["table"], read_alternative(given)), "odds_ratio": odds}


def quantile(given: Given, _: Wanted) -> Answers:
    """Ranks around a quantile."""
    alpha = given.get("alpha", 0.05)
    if "cases" not in given:
        return {"rank_interval": list(quantiles.rank_interval(given["q"], given["n"], alpha))}
    return {"rank_intervals": [list(quantiles.rank_interval(q, n, alpha)) for q, n in given["cases"]]}


def rank(given: Given, _: Wanted) -> Answers:
    """Mann and Whitney's test of group1 against group2."""
    ranks = offline.mann_whitney(*read_groups(given))
    return {"W": ranks.statistic, "U": ranks.statistic, "p": ranks.p_value}


def winsorize(given: Given, _: Wanted) -> Answers:
    """A cap at an upper quantile, and the moments of the capped values."""
    method = str(given.get("quantile_method", "linear"))
    if not method.startswith("linear"):
        raise ValueError(f"quantile_method: {method!r} is not linear (type 7)")
    values = read_values(given["x"])
    ceiling = cap(values, given["upper_q"])
    sums: Moments = capped(values, ceiling)
    return {"cap": ceiling, "mean": sums.mean, "var": sums.variance, "sd": sums.variance**0.5}


def cluster_robust(given: Given, _: Wanted) -> Answers:
    """Rows in clusters, written out or as a recipe of arithmetic on a seeded generator."""
    data = recipe.run(given["recipe"]) if "recipe" in given else given
    y, d, g = (np.asarray(data[name]) for name in ("y", "d", "g"))
    found = offline.clustered(y.tolist(), d.tolist(), g.tolist())
    return {
        "coef": found.estimate, "se": found.se, "p": found.p_value,
        "naive_se": found.naive_se, "cluster_delta_se": found.ratio_se,
    }  # fmt: skip


FAMILIES = {
    "proportion_ci": proportion_ci,
    "proportion_k": proportion_k,
    "exact": exact,
    "quantile": quantile,
    "rank": rank,
    "winsorize": winsorize,
    "cluster_robust": cluster_robust,
}
