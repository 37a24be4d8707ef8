"""Families that compare two arms or several: tests, lifts, ratios, CUPED, margins, beliefs."""

from collections.abc import Mapping
from math import inf
from typing import Any

from assay_stats import bayes, fixed, ratio
from assay_stats.conformance.fields import Fields
from assay_stats.conformance.reading import read_arm, read_arms, read_pairs, read_question
from assay_stats.difference import Arm
from assay_stats.fixed import Question, Result
from assay_stats.multiplicity import ADJUSTMENTS

Given = Mapping[str, Any]
Wanted = frozenset[str]
Answers = dict[str, Any]
CORRECTIONS = {"fdr_bh": "bh", "fdr_by": "by"}


def _interval(result: Result) -> list[float]:
    return [result.low, result.high]


def _bounds(result: Result, prefix: str = "") -> Answers:
    return {f"{prefix}ci_lower": result.low, f"{prefix}ci_upper": result.high}


def welch(given: Given, _: Wanted) -> Answers:
    """Welch's t, either side; lifts of one-sided tests on the log scale."""
    control, treatment = read_arms(given)
    question = read_question(given)
    test = fixed.welch(control, treatment, question)
    answers = {
        "diff": test.estimate, "se": test.se, "df": test.df, "t": test.statistic, "p": test.p_value,
        "ci": _interval(test), **_bounds(test),
    }  # fmt: skip
    if control.mean > 0 and treatment.mean > 0:
        log_scale = fixed.relative_log(control, treatment, question)
        answers |= {"lift": log_scale.estimate, "rel_ci": _interval(log_scale), **_bounds(log_scale, "rel_")}
    return answers


def relative_delta(given: Given, _: Wanted) -> Answers:
    """Relative lift by the delta method."""
    test = fixed.relative_delta(*read_arms(given), read_question(given))
    return _relative(test)


def relative_log(given: Given, _: Wanted) -> Answers:
    """Relative lift on the log scale."""
    test = fixed.relative_log(*read_arms(given), read_question(given))
    return _relative(test)


def _relative(test: Result) -> Answers:
    return {
        "lift": test.estimate, "se": test.se, "p": test.p_value, "ci": _interval(test), **_bounds(test),
    }  # fmt: skip


def proportion(given: Given, wanted: Wanted) -> Answers:
    """Pooled and unpooled z; with `ci` and without `z`, Welch's t on p(1-p)."""
    control, treatment = read_arms(given)
    question = read_question(given)
    pooled = fixed.pooled_z(control, treatment, question)
    plain = fixed.unpooled_z(control, treatment, question)
    t = fixed.welch(control, treatment, question)
    lift = fixed.relative_delta(control, treatment, question)
    by_t = "z" not in wanted and bool(wanted & {"ci", "rel_ci", "rel_p", "rel_lift"})
    return {
        "diff": pooled.estimate, "z": pooled.statistic, "chi2": pooled.statistic**2,
        "p": (t if by_t else pooled).p_value, "ci_wald": _interval(plain), "p_unpooled": plain.p_value,
        "z_unpooled": plain.statistic, "se": t.se, "df": t.df, "t": t.statistic, "ci": _interval(t),
        "rel_lift": lift.estimate, "rel_se": lift.se, "rel_ci": _interval(lift), "rel_p": lift.p_value,
        "lift": lift.estimate,
    }  # fmt: skip


def ratio_delta(given: Given, wanted: Wanted) -> Answers:
    """Ratio of means; `se`, `p`, `ci` belong to the lift when only the lift is wanted."""
    control, treatment = (ratio.ratio_arm(sums) for sums in read_pairs(given))
    question = read_question(given)
    test, lift = (form(control, treatment, question) for form in (fixed.welch, fixed.relative_delta))
    answers = {
        "diff": test.estimate, "t": test.statistic, "df": test.df, "lift": lift.estimate,
        "unit_var": [control.variance, treatment.variance], **_named(test, ""), **_named(lift, "rel_"),
        "tea_tasting_log_ci": _interval(fixed.relative_log(control, treatment, question)),
    }  # fmt: skip
    return answers | (_named(lift, "") if "lift" in wanted and "diff" not in wanted else {})


def _named(test: Result, prefix: str) -> Answers:
    return {f"{prefix}se": test.se, f"{prefix}p": test.p_value, f"{prefix}ci": _interval(test)}


def cuped(given: Given, wanted: Wanted) -> Answers:
    """CUPED; relative lifts over the raw control mean and over the adjusted one."""
    pairs = read_pairs(given)
    adjusted = ratio.cuped(*pairs)
    question = read_question(given)
    test = fixed.welch(adjusted.control, adjusted.treatment, question)
    over_raw = fixed.relative_adjusted(adjusted, (pairs[0].numerator.mean, pairs[1].numerator.mean), question)
    over_adjusted = fixed.relative_log(adjusted.control, adjusted.treatment, question)
    answers = {
        "theta": adjusted.theta, "diff": test.estimate, "t": test.statistic, "df": test.df,
        **_named(test, ""),
        "gbstats": {"lift": over_raw.estimate, **_named(over_raw, "")},
        "tea_tasting": {"lift": over_adjusted.estimate, **_named(over_adjusted, "")},
        "lift": over_raw.estimate, **_named(over_raw, "rel_"),
    }  # fmt: skip
    return answers | (_named(over_raw, "") if "lift" in wanted and "diff" not in wanted else {})


def several_arms(given: Given, _: Wanted) -> Answers:
    """Every arm against control by the unpooled z, with adjusted p and Bonferroni intervals."""
    groups = given.groups() if isinstance(given, Fields) else given
    arms = {name: read_arm(value) for name, value in groups.items() if isinstance(value, Mapping)}
    control = arms.pop("control")
    alpha = given.get("alpha", 0.05)
    word = str(given.get("correction", "none"))
    tests = {name: fixed.unpooled_z(control, arm, Question(alpha)) for name, arm in arms.items()}
    adjusted = ADJUSTMENTS[CORRECTIONS.get(word, word)]([test.p_value for test in tests.values()])
    shared = {name: fixed.unpooled_z(control, arm, Question(alpha / len(arms))) for name, arm in arms.items()}
    return {
        name: {
            "diff": test.estimate, "z": test.statistic, "p": test.p_value, "p_adj": p,
            "ci": _interval(test), "ci_adj": _interval(shared[name]),
        }
        for (name, test), p in zip(tests.items(), adjusted, strict=True)
    }  # fmt: skip


def multiplicity(given: Given, _: Wanted) -> Answers:
    """Adjusted p-values of a list, and how many are rejected."""
    alpha = given.get("alpha", 0.05)
    answers: Answers = {name: adjust(given["p"]) for name, adjust in ADJUSTMENTS.items()}
    levels = {"05": 0.05, "01": 0.01, "10": 0.1}
    for name in list(answers):
        answers[f"{name}_rejections"] = sum(p <= alpha for p in answers[name])
        answers |= {
            f"{name}_rejections_at_{word}": sum(p <= a for p in answers[name]) for word, a in levels.items()
        }
    return answers


def non_inferiority(given: Given, _: Wanted) -> Answers:
    """A shifted one-sided test: Welch's, or the unpooled z where the margin is `nim_rel`."""
    control, treatment = read_arms(given)
    higher = _higher_is_better(given)
    margin = _margin(given, control)
    null = -margin if higher else margin
    question = Question(given.get("alpha", 0.05), "greater" if higher else "less", null)
    form = fixed.unpooled_z if "nim_rel" in given else fixed.welch
    test = form(control, treatment, question)
    bound = test.low if higher else test.high
    return {
        "p": test.p_value, "diff": test.estimate, "se": test.se, "z": test.statistic, "t": test.statistic,
        "df": test.df if test.df < inf else None, "bound": bound, "lower95": test.low, "upper95": test.high,
        "lower": test.low, "upper": test.high, **_bounds(test), "null_hypothesis": null, "margin": margin,
        "non_inferior": test.p_value < question.alpha,
    }  # fmt: skip


def _higher_is_better(given: Given) -> bool:
    if "higher_is_better" in given:
        return bool(given["higher_is_better"])
    return str(given.get("preferred", "increase")).lower().startswith("inc")


def _margin(given: Given, control: Arm) -> float:
    if "margin_abs" in given:
        return float(given["margin_abs"])
    relative = given["nim_rel"] if "nim_rel" in given else given["margin_rel"]
    return float(relative) * abs(control.mean)


def bayes_normal(given: Given, _: Wanted) -> Answers:
    """A normal posterior of the difference or the lift; flat prior unless one is given."""
    control, treatment = read_arms(given)
    relative = given.get("difference", "absolute") == "relative"
    test = (fixed.relative_delta if relative else fixed.welch)(control, treatment)
    belief = bayes.normal(test.estimate, test.se, _prior(given.get("prior")), given.get("alpha", 0.05))
    return {
        "lift": belief.mean, "diff": belief.mean, "mean": belief.mean, "ci": [belief.low, belief.high],
        "chance_to_win": belief.chance_to_win, "risk": [belief.loss_control, belief.loss_treatment],
    }  # fmt: skip


def _prior(written: Any) -> bayes.Prior | None:
    """Read {mean, variance | sd, proper} or [mean, variance]; None, or one that is not proper, is flat."""
    if written is None:
        return None
    if not isinstance(written, Mapping):
        mean, variance = written
        return bayes.Prior(mean, variance)
    variance = written["sd"] ** 2 if "sd" in written else written["variance"]
    prior = bayes.Prior(written["mean"], variance)
    return prior if written.get("proper", True) else None


def bayes_beta(given: Given, _: Wanted) -> Answers:
    """Beta posteriors of two rates."""
    prior = bayes.Beta(*given.get("prior") or (1, 1))
    if not 0 < given.get("alpha", 0.05) < 1:  # no answer here depends on it
        raise ValueError(f"alpha: {given['alpha']} is not between 0 and 1")
    a, b = (bayes.posterior(given[side]["sum"], given[side]["n"], prior) for side in ("control", "treatment"))
    wins, choosing_a, choosing_b = bayes.beats(b, a), bayes.expected_loss(a, b), bayes.expected_loss(b, a)
    return {
        "p_b_gt_a": wins, "p_a_gt_b": 1 - wins, "chance_to_win": wins,
        "expected_loss_choose_b": choosing_b, "expected_loss_choose_a": choosing_a,
        "risk": [choosing_a, choosing_b],
    }  # fmt: skip


def bandit(given: Given, _: Wanted) -> Answers:
    """The chance of each arm to be the best."""
    if "posteriors_normal" in given:
        return {"p_best": bayes.best_normal([_normal(p) for p in given["posteriors_normal"]])}
    return {"p_best": bayes.best([bayes.Beta(*p) for p in given["posteriors_beta"]])}


def _normal(written: Any) -> tuple[float, float]:
    """Read [mean, sd], or {mu | mean, se | sd}."""
    if not isinstance(written, Mapping):
        mean, deviation = written
        return mean, deviation
    mean = written["mu"] if "mu" in written else written["mean"]
    return mean, written["se"] if "se" in written else written["sd"]


FAMILIES = {
    "welch": welch,
    "welch_one_sided": welch,
    "relative_lift_delta": relative_delta,
    "relative_lift_log": relative_log,
    "proportion": proportion,
    "ratio_delta": ratio_delta,
    "cuped": cuped,
    "multi_variant_ztest": several_arms,
    "multiplicity": multiplicity,
    "non_inferiority": non_inferiority,
    "bayes_normal": bayes_normal,
    "bayes_beta_binomial": bayes_beta,
    "bandit_prob_best": bandit,
}
