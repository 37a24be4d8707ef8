"""Families of sequential inference: confidence sequences, e-processes, sample ratio, boundaries."""

from collections.abc import Callable, Mapping
from itertools import accumulate
from math import exp, inf, sqrt
from typing import Any

from assay_stats import betabinomial, boundaries, quantiles, sampleratio, sequential
from assay_stats.conformance.reading import read_alternative, read_arms, read_values
from assay_stats.difference import difference, lift

Given = Mapping[str, Any]
Wanted = frozenset[str]
Answers = dict[str, Any]


def asymptotic_cs(given: Given, _: Wanted) -> Answers:
    """The asymptotic confidence sequence, from arms, from a standard error, or its multipliers alone."""
    alpha = given.get("alpha", 0.05)
    if "n_over_Nstar" in given:
        return {"halfwidth_over_se": [float(sequential.half_width(x, alpha)) for x in given["n_over_Nstar"]]}
    n_star = given.get("N_star", 5000)
    rhos = {
        "rho": sqrt(sequential.tuning(alpha) / n_star),
        "rho_one_sided": sqrt(sequential.tuning(2 * alpha) / n_star) if alpha < 1 / 2 else None,
    }
    if "se" in given:
        return {**rhos, **_widths(given["se"], given["N"] / n_star, alpha)}
    return {**rhos, **_sequence(given, alpha, n_star)}


def _widths(se: float, information: float, alpha: float) -> Answers:
    return {
        "two_sided": se * float(sequential.half_width(information, alpha)),
        "one_sided": se * float(sequential.one_sided_half_width(information, alpha)),
    }


def _sequence(given: Given, alpha: float, n_star: float) -> Answers:
    control, treatment = read_arms(given)
    gap = difference(control, treatment)
    estimate, se, information = gap.estimate, gap.se, gap.units / n_star
    if given.get("difference", "absolute") == "relative":
        relative = lift(control, treatment, 0.0, always=True)
        estimate, se = (relative.estimate, relative.se) if relative else (estimate, se)
    side = read_alternative(given)
    widths = _widths(se, information, alpha)
    reach = widths["two_sided" if side == "two-sided" else "one_sided"]
    log_e = _log_e(estimate / se, information, alpha, side)
    low, high = estimate - reach, estimate + reach
    return {
        "diff": estimate, "lift": estimate, "se": se, "log_e": log_e, "p": float(sequential.p_value(log_e)),
        "ci": [-inf if side == "less" else low, inf if side == "greater" else high],
        "ci_lower": low, "ci_upper": high, "halfwidth": reach,
    }  # fmt: skip


def _log_e(z: float, information: float, alpha: float, side: str) -> float:
    if side == "two-sided":
        return float(sequential.log_evidence(z, information, alpha))
    return float(sequential.one_sided_log_evidence(z if side == "greater" else -z, information, alpha))


def msprt(given: Given, _: Wanted) -> Answers:
    """The mixture SPRT with a known variance: V = 2 sigma^2, or the two rates' variances."""
    n, tau2, null = given["n_per_arm"], given["tau2"], given.get("theta0", 0.0)
    rates = [given[name] for name in ("p_control", "p_treatment", "p1", "p2", "p_a", "p_b") if name in given]
    variance = sum(p * (1 - p) for p in rates) if rates else 2 * given["sigma2"]
    gap = given["diff"] if "diff" in given else rates[1] - rates[0]
    below = variance + n * tau2
    log_e = n * n * tau2 * (gap - null) ** 2 / (2 * variance * below)
    value = sqrt(variance / below) * exp(log_e)
    return {"Lambda": value, "p": min(1.0, 1 / value), "diff": gap, "V": variance}


def confseq(given: Given, _: Wanted) -> Answers:
    """A boundary of Howard et al., told by the names of its arguments."""
    alpha = given.get("alpha", 0.05)
    function = str(given.get("function", ""))
    if "log_mixture" in function:
        return _log_mixture(function, given)
    for names, answer in BOUNDARIES:
        if names <= set(given):
            answers = answer(given, alpha)
            return answers | {"published": answers.get("value", answers.get("ci"))}
    raise ValueError(f"input: no boundary has the arguments {sorted(given)}")


def _log_mixture(function: str, given: Given) -> Answers:
    """The mixture itself at a sum s and intrinsic time v: the log of an e-value, and no boundary."""
    s, v, v_opt = given["s"], given["v"], given["v_opt"]
    level = given.get("alpha_opt", given.get("alpha", 0.05))
    sides = _two_sided(given, default="2s" in function) and "gamma" not in function
    rho = boundaries.best_rho(v_opt, level, two_sided=sides)
    if "beta_binomial" in function:
        bounds = boundaries.Range(given["g"], given["h"])
        steps = v / (bounds.g * bounds.h)
        return _value(boundaries.log_bernoulli(s, steps, bounds, rho, two_sided=sides))
    if "gamma" in function:
        poisson = "poisson" in function
        form = boundaries.log_gamma_poisson if poisson else boundaries.log_gamma_exponential
        return _value(form(s, v, rho, given["c"]))
    return _value(boundaries.log_normal(s, v, rho, two_sided=sides))


def _two_sided(given: Given, *, default: bool = True) -> bool:
    """Read the sides; confseq's log mixtures are one-sided unless said."""
    one_sided = given.get("is_one_sided", not default)
    return bool(given.get("two_sided", not one_sided))


def _value(value: float) -> Answers:
    return {"value": value}


def _gamma(given: Given, alpha: float) -> Answers:
    poisson = "poisson" in str(given.get("function", ""))
    form = boundaries.gamma_poisson if poisson else boundaries.gamma_exponential
    return _value(form(given["v"], given["v_opt"], given["c"], alpha))


def _bounded(given: Given, alpha: float) -> Answers:
    sides = _two_sided(given)
    bounds = boundaries.Range(given["g"], given["h"])
    return _value(boundaries.beta_binomial(given["v"], given["v_opt"], bounds, alpha, two_sided=sides))


def _normal(given: Given, alpha: float) -> Answers:
    sides = _two_sided(given)
    if "v" not in given:
        return _value(boundaries.best_rho(given["v_opt"], alpha, two_sided=sides))
    return _value(boundaries.normal_mixture(given["v"], given["v_opt"], alpha, two_sided=sides))


def _stitched(given: Given, alpha: float) -> Answers:
    tuning = boundaries.Stitching(given.get("s", 1.4), given.get("eta", 2.0))
    return _value(
        boundaries.polynomial_stitching(given["v"], given["v_min"], given.get("c", 0.0), alpha, tuning)
    )


def _empirical(given: Given, alpha: float) -> Answers:
    return _value(boundaries.empirical_process(given["t"], given["t_min"], alpha, given.get("A", 0.85)))


def _bernoulli(given: Given, alpha: float) -> Answers:
    ends = boundaries.bernoulli_interval(given["successes"], given["trials"], given["t_opt"], alpha)
    return {"ci": list(ends)}


BOUNDARIES: tuple[tuple[frozenset[str], Callable[[Given, float], Answers]], ...] = (
    (frozenset({"successes", "trials", "t_opt"}), _bernoulli),
    (frozenset({"t", "t_min"}), _empirical),
    (frozenset({"v", "v_min"}), _stitched),
    (frozenset({"v", "v_opt", "g", "h"}), _bounded),
    (frozenset({"v", "v_opt", "c"}), _gamma),
    (frozenset({"v_opt"}), _normal),
)


def quantile_ab(given: Given, _: Wanted) -> Answers:
    """Always-valid comparison of a quantile, one p for each shift k."""
    shifts = given.get("k", 0)
    several = shifts if isinstance(shifts, list) else [shifts]
    p = [
        quantiles.comparison_p(
            read_values(given["a"], k), read_values(given["b"], k), given["q"],
            t_opt=given["t_opt"], alpha=given.get("alpha", 0.05),
        )
        for k in several
    ]  # fmt: skip
    return {"p": p if isinstance(shifts, list) else p[0]}


def srm_chi2(given: Given, _: Wanted) -> Answers:
    """Pearson's chi-square of counts against weights."""
    statistic, p = sampleratio.chi_square(given["counts"], _parts(given))
    return {"chi2": statistic, "p": p, "df": len(given["counts"]) - 1}


def srm_sequential(given: Given, _: Wanted) -> Answers:
    """The sequential check on counts so far, or on batches with the running minimum of p."""
    parts, weight = _parts(given), given.get("concentration", sampleratio.CONCENTRATION)
    if "batches" not in given:
        log_e = sampleratio.log_evidence(given.get("counts_cumulative", given.get("counts")), parts, weight)
        return {"log_e": log_e, "bf": exp(min(log_e, 700)), "p": float(sequential.p_value(log_e))}
    totals = accumulate(given["batches"], lambda old, new: [a + b for a, b in zip(old, new, strict=True)])
    logs = [sampleratio.log_evidence(counts, parts, weight) for counts in totals]
    running = [float(sequential.p_value(log_e)) for log_e in accumulate(logs, max)]
    last = float(sequential.p_value(logs[-1]))
    return {
        "p": running,
        "bf": [exp(min(log_e, 700)) for log_e in logs],
        "log_e": logs,
        "p_cumulative_only": last,
    }


def _parts(given: Given) -> list[float]:
    return [weight / sum(given["weights"]) for weight in given["weights"]]


def beta_binomial(given: Given, _: Wanted) -> Answers:
    """The conditional e-process of rare events."""
    split = betabinomial.Split(
        given["events_treatment"],
        given["events_control"],
        given["traffic_share_treatment"],
        given.get("concentration", 10),
    )
    two, one = float(betabinomial.log_evidence(split)), float(betabinomial.log_harm(split))
    return {
        "log_e_two_sided": two, "log_e_one_sided": one,
        "p_two_sided": float(sequential.p_value(two)), "p_one_sided": float(sequential.p_value(one)),
    }  # fmt: skip


FAMILIES = {
    "asymptotic_cs": asymptotic_cs,
    "msprt": msprt,
    "confseq": confseq,
    "quantile_ab": quantile_ab,
    "srm_chi2": srm_chi2,
    "srm_sequential": srm_sequential,
    "conditional_betabin_eprocess": beta_binomial,
}
