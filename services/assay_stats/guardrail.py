"""Guardrails: is the treatment worse by more than the margin (roll back), or shown not to be (promote)?

Both questions share one margin and one method, so that they cannot both be answered with yes. "Worse" is
up for metrics that should decrease and down for those that should increase; inside, worse is always up.
"""

from collections.abc import Callable, Mapping
from math import inf, log
from typing import NamedTuple

from assay_stats import betabinomial, exactmargin, sequential
from assay_stats.difference import Difference, arm, difference
from assay_stats.evidence import threshold, too_few
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
    """

    log_e: float
    threshold: float
    breached: bool
    p_value: float
    estimate: float
    units: int


class NonInferiority(NamedTuple):
    """Evidence that the treatment is not worse by more than the margin.

    Attributes:
        log_e: Running maximum of ln e; hand it back as `previous` at the next look.
        threshold: ln(1 / alpha); promotion needs every guardrail, so alpha is not divided.
        passed: This look's ln e is at the threshold or above.
        p_value: Always valid.
        estimate: m_T - m_C.
        bound: How bad the difference may still be: an upper bound for metrics to decrease, a lower one for
            metrics to increase. For a relative margin, of m_T - (1 +- margin) m_C + margin * m_C.
        margin: The difference that is still accepted, at control's present mean; signed like `bound`.
        undecidable_reason: Why it cannot be shown yet; None if only the numbers are missing.
    """

    log_e: float
    threshold: float
    passed: bool
    p_value: float
    estimate: float
    bound: float
    margin: float
    undecidable_reason: str | None


class _View(NamedTuple):
    """A guardrail seen so that worse is up; each answer is worked out when it is asked for."""

    log_harm: Callable[[], float]
    log_safety: Callable[[], float]
    bound: Callable[[], float]
    reason: str | None


def harm(
    rule: GuardrailRule, control: Moments, treatment: Moments, share: float, *, previous: float = 0.0
) -> Harm:
    """Ask whether to roll back.

    Args:
        rule: As frozen at the start.
        control: Sums of control.
        treatment: Sums of the candidate.
        share: The candidate's declared part of the units of the two, in (0, 1).
        previous: `log_e` of the look before.

    Raises:
        ValueError: Sums that no data can have, or a share outside (0, 1).
    """
    view = _view(rule, control, treatment, share)
    log_e = previous if view.reason else max(previous, view.log_harm())
    bar = threshold(rule.alpha, rule.guardrails)
    gap = treatment.mean - control.mean
    return Harm(log_e, bar, log_e >= bar, float(sequential.p_value(log_e)), gap, control.n + treatment.n)


def non_inferiority(
    rule: GuardrailRule, control: Moments, treatment: Moments, share: float, *, previous: float = 0.0
) -> NonInferiority:
    """Ask whether the guardrail allows a promotion; arguments as for `harm`.

    A pass needs the present look to show it: outcomes that arrive late make every arm look good at first.
    """
    view = _view(rule, control, treatment, share)
    now = -inf if view.reason else view.log_safety()
    log_e, bar = max(previous, now), threshold(rule.alpha)
    faded = "shown at an earlier look, but this one does not show it" if now < bar <= log_e else None
    sign = _sign(rule)
    margin = rule.absolute + rule.relative * abs(control.mean)
    return NonInferiority(
        log_e=log_e,
        threshold=bar,
        passed=now >= bar,
        p_value=float(sequential.p_value(log_e)),
        estimate=treatment.mean - control.mean,
        bound=sign * (inf if view.reason else view.bound()),
        margin=sign * margin,
        undecidable_reason=view.reason or faded,
    )


def log_safety(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> float:
    """Return ln e of this look that the candidate is within the margin; -inf while it cannot be told."""
    view = _view(rule, control, treatment, share)
    return -inf if view.reason else view.log_safety()


def _view(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> _View:
    if not 0 < share < 1:
        raise ValueError(f"share: {share} is not between 0 and 1")
    for sums in (control, treatment):
        sums.checked_proportion() if rule.type == "Proportion" else sums.checked()
    if not control.n or not treatment.n:
        return _silent("an arm has no units")
    return VIEWS[rule.method](rule, control, treatment, share)


def _silent(reason: str) -> _View:
    return _View(lambda: 0.0, lambda: 0.0, lambda: inf, reason)


def _asymptotic(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> _View:  # noqa: ARG001
    binary = rule.type == "Proportion"
    reason = too_few((rule.floor_units, rule.floor_events), control, treatment, binary=binary)
    sign = _sign(rule)
    scale = 1 + sign * rule.relative * (1 if control.mean >= 0 else -1)
    gap = difference(arm(control, binary=binary), arm(treatment, binary=binary), scale)
    if reason or not gap.guarded_se:
        return _silent(reason or "no value differs from another, so nothing can be said")
    z = (sign * gap.estimate - rule.absolute) / gap.guarded_se
    return _View(
        lambda: _log_one_sided(rule, gap, z),
        lambda: _log_one_sided(rule, gap, -z),
        lambda: _asymptotic_bound(rule, control, gap),
        None,
    )


def _log_one_sided(rule: GuardrailRule, gap: Difference, z: float) -> float:
    return float(sequential.one_sided_log_evidence(z, gap.units / rule.n_star, rule.alpha))


def _asymptotic_bound(rule: GuardrailRule, control: Moments, gap: Difference) -> float:
    width = float(sequential.one_sided_half_width(gap.units / rule.n_star, rule.alpha))
    return _sign(rule) * gap.estimate + rule.relative * abs(control.mean) + width * gap.guarded_se


def _beta_binomial(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> _View:
    """Count events, good or bad; the treatment's rate may be (1 + r) or (1 - r) times control's."""
    sign = _sign(rule)
    null = betabinomial.margin_share(share, sign * rule.relative)
    split = betabinomial.Split(treatment.total, control.total, null, rule.concentration)
    up, down = betabinomial.log_harm, betabinomial.log_safety
    none_yet = not control.total and not treatment.total
    return _View(
        lambda: float((up if sign > 0 else down)(split)),
        lambda: float((down if sign > 0 else up)(split)),
        lambda: _ratio_bound(rule, split, share, control.mean),
        "no unit has had the event yet, so a relative margin cannot be judged" if none_yet else None,
    )


def _ratio_bound(rule: GuardrailRule, split: betabinomial.Split, share: float, rate: float) -> float:
    """Return how much worse the treatment may be, at control's rate: one end of the interval at 2 alpha."""
    ends = betabinomial.share_interval(split, min(0.999, 2 * rule.alpha))
    worst = ends[1] if _sign(rule) > 0 else ends[0]
    ratio = betabinomial.rate_ratio(worst, share)
    return min(1.0, _sign(rule) * rate * (ratio - 1)) if rate and ratio < inf else inf


def _exact_margin(rule: GuardrailRule, control: Moments, treatment: Moments, share: float) -> _View:  # noqa: ARG001
    counts = exactmargin.Counts(*_bad(rule, treatment), *_bad(rule, control))
    margin = rule.absolute
    level = -log(rule.alpha)
    return _View(
        lambda: exactmargin.log_harm(counts, margin),
        lambda: exactmargin.log_safety(counts, margin),
        lambda: exactmargin.upper_bound(counts, level),
        None,
    )


def _bad(rule: GuardrailRule, sums: Moments) -> tuple[float, int]:
    return (sums.total if rule.direction == "Decrease" else sums.n - sums.total), sums.n


def _sign(rule: GuardrailRule) -> int:
    return 1 if rule.direction == "Decrease" else -1


VIEWS: Mapping[str, Callable[[GuardrailRule, Moments, Moments, float], _View]] = {
    "AsymptoticCS": _asymptotic,
    "BetaBinomial": _beta_binomial,
    "ExactMargin": _exact_margin,
}
