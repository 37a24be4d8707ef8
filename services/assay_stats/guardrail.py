"""Guardrails: is the treatment worse by more than the margin (roll back), or shown not to be (promote)?

Both questions share one margin, and evidence counts only on the estimate's side of it, so that no look can
answer both with yes. "Worse" is up for metrics that should decrease and down for those that should increase;
inside, worse is always up. Harm has a small part of alpha for `smallsample`, so that a candidate that fails
altogether is seen at once, whatever the method of the metric waits for.
"""

from collections.abc import Callable, Mapping
from math import inf, log
from typing import NamedTuple

from assay_stats import betabinomial, betting, effect, exactbound, exactmargin, sequential, smallsample
from assay_stats.difference import Difference, arm, difference
from assay_stats.effect import Effect
from assay_stats.evidence import pooled_variance, threshold, too_few
from assay_stats.exactmargin import Counts
from assay_stats.moments import Moments
from assay_stats.rule import GuardrailRule


class Harm(NamedTuple):
    """Evidence that the treatment is worse by more than the margin.

    Attributes:
        log_e: Running maximum of ln e; hand it back as `previous` at the next look.
        threshold: ln(guardrails / alpha).
        breached: log_e reached the threshold: roll back.
        p_value: Always valid, for this guardrail alone.
        estimate: m_T - m_C.
        units: Units of both arms.
        variance: Of one unit, at the first look that could decide; hand it back at the next look. Intrinsic
            time is counted in it, as for primaries.
    """

    log_e: float
    threshold: float
    breached: bool
    p_value: float
    estimate: float
    units: int
    variance: float = 0.0


class NonInferiority(NamedTuple):
    """Evidence that the treatment is not worse by more than the margin.

    Attributes:
        log_e: Running maximum of ln e; hand it back as `previous` at the next look.
        threshold: ln(candidates / alpha); promotion needs every guardrail, so alpha is not divided by them.
        passed: This look's ln e is at the threshold or above.
        p_value: Always valid.
        estimate: m_T - m_C.
        bound: How bad the difference may still be: an upper bound for metrics to decrease, a lower one for
            metrics to increase. For a relative margin, of m_T - (1 +- margin) m_C + margin * m_C.
        margin: The difference that is still accepted, at control's present mean; signed like `bound`.
        undecidable_reason: Why it cannot be shown yet; None if only the numbers are missing.
        variance: As of `Harm`.
    """

    log_e: float
    threshold: float
    passed: bool
    p_value: float
    estimate: float
    bound: float
    margin: float
    undecidable_reason: str | None
    variance: float = 0.0


class _View(NamedTuple):
    """A guardrail seen so that worse is up; each answer is worked out when it is asked for.

    Attributes:
        log_harm: ln e of the method itself, below 0 or -inf where it may not speak.
        log_early: ln e of harm that needs no floor.
        log_safety: ln e of safety.
        bound: Upper bound of the difference at ln e, the bar of safety.
        beyond: The estimate beyond the margin; negative is within it.
        reason: Why safety cannot be shown yet.
        variance: Of one unit, that intrinsic time is counted in; 0 where units are counted.
    """

    log_harm: Callable[[], float]
    log_early: Callable[[], float]
    log_safety: Callable[[], float]
    bound: Callable[[float], float]
    beyond: float
    reason: str | None
    variance: float = 0.0

    def harm(self) -> float:
        """Return ln e of harm at this look, by either test; 0 while the estimate is within the margin."""
        if self.beyond <= 0:
            return 0.0
        return max(self.log_harm() + smallsample.LOG_REST, self.log_early() + smallsample.LOG_PART)

    def safety(self) -> float:
        """Return ln e of safety at this look; 0 where the estimate is beyond the margin."""
        if self.reason:
            return -inf
        return self.log_safety() if self.beyond < 0 else 0.0


def harm(
    rule: GuardrailRule,
    control: Moments,
    treatment: Moments,
    share: float,
    *,
    previous: float = 0.0,
    variance: float = 0.0,
) -> Harm:
    """Ask whether to roll back.

    Args:
        rule: As frozen at the start.
        control: Sums of control.
        treatment: Sums of the candidate.
        share: The candidate's declared part of the units of the two, in (0, 1).
        previous: `log_e` of the look before.
        variance: `variance` of the look before.

    Raises:
        ValueError: Sums that no data can have, or a share outside (0, 1).
    """
    view = _view(rule, control, treatment, share, variance)
    log_e = max(previous, view.harm())
    bar = threshold(rule.alpha, rule.guardrails)
    gap, units = treatment.mean - control.mean, control.n + treatment.n
    return Harm(log_e, bar, log_e >= bar, float(sequential.p_value(log_e)), gap, units, view.variance)


def non_inferiority(  # noqa: PLR0913 - what two looks need
    rule: GuardrailRule,
    control: Moments,
    treatment: Moments,
    share: float,
    *,
    previous: float = 0.0,
    variance: float = 0.0,
    candidates: int = 1,
) -> NonInferiority:
    """Ask whether the guardrail allows a promotion; arguments as for `harm`.

    A pass needs the present look to show it: outcomes that arrive late make every arm look good at first.

    Args:
        rule: As frozen at the start.
        control: Sums of control.
        treatment: Sums of the candidate.
        share: The candidate's declared part of the units of the two.
        previous: `log_e` of the look before.
        variance: `variance` of the look before.
        candidates: Candidates that may be promoted by a false pass (Bonferroni).
    """
    view = _view(rule, control, treatment, share, variance)
    now = view.safety()
    log_e, bar = max(previous, now), threshold(rule.alpha, candidates)
    faded = "shown at an earlier look, but this one does not show it" if now < bar <= log_e else None
    sign = _sign(rule)
    margin = rule.absolute + rule.relative * abs(control.mean)
    return NonInferiority(
        log_e=log_e,
        threshold=bar,
        passed=now >= bar,
        p_value=float(sequential.p_value(log_e)),
        estimate=treatment.mean - control.mean,
        bound=sign * (inf if view.reason else view.bound(rule.alpha / candidates)),
        margin=sign * margin,
        undecidable_reason=view.reason or faded,
        variance=view.variance,
    )


def log_safety(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> float:
    """Return ln e of this look that the candidate is within the margin; -inf while it cannot be told."""
    return _view(rule, control, treatment, share).safety()


def shown(
    rule: GuardrailRule, control: Moments, treatment: Moments, share: float, *, variance: float = 0.0
) -> Effect:
    """Return the effect with two-sided sequences at level 1 - alpha, by the method of the rule.

    `variance` is that of one unit at the first look that could decide: intrinsic time is counted in it.

    Harm and safety are one-sided and have levels of their own, so that they may be shown a little earlier.
    """
    if not control.n or not treatment.n:
        return effect.ANY
    exact = (rule.concentration, rule.alpha)
    if rule.method == "BetaBinomial":
        return effect.of_events(control, treatment, share, exact)
    if rule.method == "ExactMargin":
        return effect.of_bets(control, treatment, share, exact, flip=rule.direction == "Increase")
    binary = rule.type == "Proportion"
    arms = arm(control, binary=binary), arm(treatment, binary=binary)
    floors = rule.floor_units, rule.floor_events
    if not too_few(floors, control, treatment, binary=binary) and difference(*arms).guarded_se:
        now, level = pooled_variance(*arms), rule.alpha * (1 - smallsample.PART)
        information = (control.n + treatment.n) / rule.n_star * (now / (variance or now) if now else 1.0)
        return effect.of_means(*arms, float(sequential.half_width(information, level)))
    return effect.of_rates(control, treatment, smallsample.PART * rule.alpha) if binary else effect.ANY


def _view(
    rule: GuardrailRule, control: Moments, treatment: Moments, share: float, variance: float = 0.0
) -> _View:
    if not 0 < share < 1:
        raise ValueError(f"share: {share} is not between 0 and 1")
    for sums in (control, treatment):
        sums.checked_proportion() if rule.type == "Proportion" else sums.checked()
    if not control.n or not treatment.n:
        return _View(_silent, _silent, _silent, lambda _: inf, 0.0, "an arm has no units", variance)
    if rule.method == "AsymptoticCS":
        return _asymptotic(rule, control, treatment, variance)
    return EXACT[rule.method](rule, control, treatment, share)


def _silent() -> float:
    return -inf


def _asymptotic(rule: GuardrailRule, control: Moments, treatment: Moments, first: float) -> _View:
    binary = rule.type == "Proportion"
    reason = too_few((rule.floor_units, rule.floor_events), control, treatment, binary=binary)
    sign = _sign(rule)
    scale = 1 + sign * rule.relative * (1 if control.mean >= 0 else -1)
    arms = arm(control, binary=binary), arm(treatment, binary=binary)
    gap, variance = difference(*arms, scale), pooled_variance(*arms)
    beyond = sign * gap.estimate - rule.absolute
    if not gap.guarded_se:
        reason = reason or "no value differs from another, so nothing can be said"
    z = beyond / gap.guarded_se if gap.guarded_se else 0.0
    information = gap.units / rule.n_star * (variance / first if first else 1.0)
    spread = smallsample.Gap(beyond, gap.guarded_se, treatment.n, control.n)
    early = (lambda: _log_early(rule, control, treatment)) if binary else (
        lambda: float(smallsample.log_harm_of_mean(spread, rule.alpha))
    )  # fmt: skip
    return _View(
        _silent if reason else (lambda: _log_one_sided(rule, information, z)),
        early,
        lambda: _log_one_sided(rule, information, -z),
        lambda alpha: _asymptotic_bound(
            rule, control, gap, float(sequential.one_sided_half_width(information, rule.alpha, alpha))
        ),
        beyond,
        reason,
        first or (0.0 if reason else variance),
    )


def _log_one_sided(rule: GuardrailRule, information: float, z: float) -> float:
    return float(sequential.one_sided_log_evidence(z, information, rule.alpha))


def _asymptotic_bound(rule: GuardrailRule, control: Moments, gap: Difference, width: float) -> float:
    return _sign(rule) * gap.estimate + rule.relative * abs(control.mean) + width * gap.guarded_se


def _log_early(rule: GuardrailRule, control: Moments, treatment: Moments) -> float:
    """Return ln e of the likelihood ratio, on bad units; a relative margin of good ones is a line there too.

    p_T >= (1 - r) p_C for good units is 1 - p_T <= r + (1 - r) (1 - p_C) for bad ones.
    """
    counts, r = _bad(rule, control, treatment), rule.relative
    if rule.direction == "Decrease":
        return exactmargin.log_harm(counts, rule.absolute, 1 + r)
    return exactmargin.log_harm(counts, rule.absolute + r, 1 - r) if r < 1 else -inf


def _beta_binomial(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> _View:
    """Count events, good or bad; the treatment's rate may be (1 + r) or (1 - r) times control's."""
    sign = _sign(rule)
    null = betabinomial.margin_share(share, sign * rule.relative)
    split = betabinomial.Split(treatment.total, control.total, null, rule.concentration)
    up, down = betabinomial.log_harm, betabinomial.log_safety
    none_yet = not control.total and not treatment.total
    return _View(
        lambda: float((up if sign > 0 else down)(split)),
        lambda: _log_early(rule, control, treatment),
        lambda: float((down if sign > 0 else up)(split)),
        lambda alpha: _ratio_bound(rule, split, share, (control.mean, alpha)),
        sign * (treatment.mean - (1 + sign * rule.relative) * control.mean),
        "no unit has had the event yet, so a relative margin cannot be judged" if none_yet else None,
    )


def _ratio_bound(
    rule: GuardrailRule, split: betabinomial.Split, share: float, at: tuple[float, float]
) -> float:
    """Return how much worse the treatment may be, at control's rate: one end of the interval at 2 alpha."""
    rate, alpha = at
    ends = betabinomial.share_interval(split, min(0.999, 2 * alpha))
    worst = ends[1] if _sign(rule) > 0 else ends[0]
    ratio = betabinomial.rate_ratio(worst, share)
    return min(1.0, _sign(rule) * rate * (ratio - 1)) if rate and ratio < inf else inf


def _exact_margin(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> _View:
    counts = _bad(rule, control, treatment)
    sums = counts.treatment, counts.control, counts.treatment_n + counts.control_n
    compared = exactbound.Compared(counts, share)
    return _View(
        lambda: float(betting.log_harm(*sums, share, rule.absolute)),
        lambda: _log_early(rule, control, treatment),
        lambda: compared.log_safety(rule.absolute),
        lambda alpha: compared.upper_bound(-log(alpha)),
        counts.difference - rule.absolute,
        None,
    )


def _bad(rule: GuardrailRule, control: Moments, treatment: Moments) -> Counts:
    """Return the units with what is bad: events of a metric to decrease, their absence otherwise."""
    flip = rule.direction == "Increase"
    b, a = (sums.n - sums.total if flip else sums.total for sums in (treatment, control))
    return Counts(b, treatment.n, a, control.n)


def _sign(rule: GuardrailRule) -> int:
    return 1 if rule.direction == "Decrease" else -1


EXACT: Mapping[str, Callable[[GuardrailRule, Moments, Moments, float], _View]] = {
    "BetaBinomial": _beta_binomial,
    "ExactMargin": _exact_margin,
}
