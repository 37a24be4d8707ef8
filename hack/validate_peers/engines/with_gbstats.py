"""GrowthBook's answers (gbstats 0.8.0), in its own environment."""

import json
import sys

from gbstats.bayesian.tests import EffectBayesianABTest, EffectBayesianConfig
from gbstats.frequentist.tests import (
    FrequentistConfig,
    SequentialConfig,
    SequentialTwoSidedTTest,
    TwoSidedTTest,
)
from gbstats.models.statistics import (
    RatioStatistic,
    RegressionAdjustedStatistic,
    SampleMeanStatistic,
    compute_theta,
)


def mean(s):
    return SampleMeanStatistic(n=s["n"], sum=s["sum"], sum_squares=s["sumsq"])


def parts(s):
    y = SampleMeanStatistic(n=s["n"], sum=s["sum_y"], sum_squares=s["sumsq_y"])
    return y, SampleMeanStatistic(n=s["n"], sum=s["sum_x"], sum_squares=s["sumsq_x"])


def tested(a, b, kind):
    r = TwoSidedTTest(a, b, FrequentistConfig(difference_type=kind)).compute_result()
    return {("diff" if kind == "absolute" else "lift"): r.expected, "p": r.p_value, "ci": list(r.ci)}


def both(given, make):
    return [make(given[side]) for side in ("control", "treatment")]


def welch(given):
    return tested(*both(given, mean), "absolute")


def relative_lift_delta(given):
    return tested(*both(given, mean), "relative")


def ratio_delta(given):
    def make(s):
        y, x = parts(s)
        return RatioStatistic(n=s["n"], m_statistic=y, d_statistic=x, m_d_sum_of_products=s["sum_xy"])

    return tested(*both(given, make), "absolute")


def cuped(given):
    def make(s):
        y, x = parts(s)
        return RegressionAdjustedStatistic(
            n=s["n"], post_statistic=y, pre_statistic=x, post_pre_sum_of_products=s["sum_xy"], theta=0
        )

    a, b = both(given, make)
    a.theta = b.theta = compute_theta(a, b)
    return {"theta": a.theta, **tested(a, b, "absolute"), "gbstats": tested(a, b, "relative")}


def asymptotic_cs(given):
    config = SequentialConfig(difference_type="absolute", sequential_tuning_parameter=given["N_star"])
    r = SequentialTwoSidedTTest(*both(given, mean), config).compute_result()
    return {"diff": r.expected, "p": r.p_value, "ci": list(r.ci)}


def bayes_normal(given):
    r = EffectBayesianABTest(
        *both(given, mean), EffectBayesianConfig(difference_type="relative")
    ).compute_result()
    return {"lift": r.expected, "ci": list(r.ci), "chance_to_win": r.chance_to_win, "risk": list(r.risk)}


print(json.dumps([globals()[case["family"]](case["input"]) for case in json.load(sys.stdin)]))
