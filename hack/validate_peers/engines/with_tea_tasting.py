"""tea-tasting's answers, in its own environment."""

import json
import sys

from tea_tasting.aggr import Aggregates
from tea_tasting.metrics import Mean, RatioOfMeans


def aggregates(s):
    if "sumsq" in s:
        n, y = s["n"], s["sum"]
        return Aggregates(n, {"y": y / n}, {"y": (s["sumsq"] - y * y / n) / (n - 1)})
    n, y, x = s["n"], s["sum_y"], s["sum_x"]
    spread = {"y": (s["sumsq_y"] - y * y / n) / (n - 1), "x": (s["sumsq_x"] - x * x / n) / (n - 1)}
    return Aggregates(n, {"y": y / n, "x": x / n}, spread, {("x", "y"): (s["sum_xy"] - x * y / n) / (n - 1)})


def analysed(metric, given):
    return metric.analyze_aggregates(aggregates(given["control"]), aggregates(given["treatment"]))


def welch(given):
    r = analysed(Mean("y"), given)
    return {
        "diff": r.effect_size,
        "ci": [r.effect_size_ci_lower, r.effect_size_ci_upper],
        "p": r.pvalue,
        "t": r.statistic,
    }


def relative_lift_log(given):
    r = analysed(Mean("y"), given)
    return {
        "lift": r.rel_effect_size,
        "ci": [r.rel_effect_size_ci_lower, r.rel_effect_size_ci_upper],
        "p": r.pvalue,
    }


def ratio_delta(given):
    r = analysed(RatioOfMeans("y", "x"), given)
    log_ci = [r.rel_effect_size_ci_lower, r.rel_effect_size_ci_upper]
    return {
        "diff": r.effect_size,
        "p": r.pvalue,
        "ci": [r.effect_size_ci_lower, r.effect_size_ci_upper],
        "tea_tasting_log_ci": log_ci,
    }


def cuped(given):
    r = analysed(Mean("y", "x"), given)
    lift = {"lift": r.rel_effect_size, "ci": [r.rel_effect_size_ci_lower, r.rel_effect_size_ci_upper]}
    return {"diff": r.effect_size, "p": r.pvalue, "t": r.statistic, "tea_tasting": lift}


print(json.dumps([globals()[case["family"]](case["input"]) for case in json.load(sys.stdin)]))
