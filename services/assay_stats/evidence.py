"""The evidence on a primary or secondary metric at one look: estimate, interval, e-value, decision.

Everything is safe to compute at every second: the interval is a confidence sequence and the p-value is
always valid. What the caller keeps between looks is `peak` alone.
"""

from math import inf, log, log1p
from typing import Literal, NamedTuple

from assay_stats import betabinomial, effect, sequential, smallsample
from assay_stats.difference import Arm, Lift, arm, difference, lift
from assay_stats.effect import Effect
from assay_stats.moments import Moments, PairMoments
from assay_stats.ratio import cuped, ratio_arm
from assay_stats.rule import RATE_PART, Rule

Decided = Literal["better", "worse"]
METHODS = ("AsymptoticCS", "BetaBinomial")
TYPES = ("Proportion", "Mean")


class Peak(NamedTuple):
    """Running maxima of ln e, by the sign of the estimate at their look; JSON-able as a list of three.

    Attributes:
        up: While the treatment's mean was above control's.
        down: While it was below.
        variance: Of one unit, at the first look that could decide; 0 before. Intrinsic time is counted in it:
            where the same units' values go on growing, information grows though their number does not.
    """

    up: float = 0.0
    down: float = 0.0
    variance: float = 0.0

    def reached(self, log_e: float, estimate: float) -> "Peak":
        """Return the maxima after one more look."""
        if estimate == 0:
            return self
        return (
            self._replace(up=max(self.up, log_e))
            if estimate > 0
            else self._replace(down=max(self.down, log_e))
        )

    @property
    def log_e(self) -> float:
        """The greater of the two."""
        return max(self.up, self.down)


class Evidence(NamedTuple):
    """What is known about a difference.

    Attributes:
        estimate: m_T - m_C.
        se: Its plain standard error.
        low: Lower end of the confidence sequence at level 1 - alpha (its coverage is a little more).
        high: Upper end.
        log_e: ln e of this look alone; of early harm of means, -ln of an always-valid p-value.
        e_value: ln of an e-value of this look, which has no early harm of means in it; for `e_bh`.
        p_value: Always-valid two-sided p-value, from the running maximum.
        units: Units of both arms.
        decided: "better" or "worse" in the rule's direction, once proven at the rule's alpha; else None.
        undecidable_reason: Why nothing but "worse" can be decided yet, whatever the numbers; None if all may.
        lift: Relative lift with its confidence sequence, whose ends are infinite while control's mean is too
            near to zero; None where that mean is not above zero.
        peak: Hand it back as `peak` at the next look.
    """

    estimate: float
    se: float
    low: float
    high: float
    log_e: float
    e_value: float
    p_value: float
    units: float
    decided: Decided | None
    undecidable_reason: str | None
    lift: Lift | None
    peak: Peak

    def decided_at(self, rule: Rule, p_value: float) -> Decided | None:
        """Return the decision when `p_value` (this one, or its Holm adjustment) is what counts.

        The side is that on which the evidence peaked; an estimate that has since changed its sign decides
        nothing.
        """
        if p_value > rule.alpha or not self.estimate:
            return None
        up = self.peak.up >= self.peak.down
        if up != (self.estimate > 0):
            return None
        if up != (rule.direction == "Increase"):
            return "worse"
        return None if self.undecidable_reason else "better"


class _Look(NamedTuple):
    """What a method says: ln e of both sides; log_early is of harm alone, and needs no floor."""

    log_e: float
    effect: Effect
    reason: str | None
    log_early: float = -inf
    variance: float = 0.0


def evaluate(
    rule: Rule, control: Moments, treatment: Moments, share: float, *, peak: Peak | None = None
) -> Evidence:
    """Return the evidence on one metric at this look.

    Args:
        rule: As frozen at the start.
        control: Sums of control.
        treatment: Sums of the candidate.
        share: The candidate's declared part of the units of the two, in (0, 1).
        peak: `peak` of the look before; None at the first.

    Raises:
        ValueError: Sums that no data can have, or a share outside (0, 1).
    """
    _refuse(rule, control, treatment, share)
    binary = rule.type == "Proportion"
    arms = arm(control, binary=binary), arm(treatment, binary=binary)
    if rule.method == "BetaBinomial":
        return _at_peak(rule, arms, _beta_binomial(rule, control, treatment, share), peak)
    reason = too_few((rule.floor_units, rule.floor_events), control, treatment, binary=binary)
    look = _asymptotic(rule, arms, reason, peak)
    if binary and control.n and treatment.n:
        look = _with_early(rule, control, treatment, look)
    return _at_peak(rule, arms, look, peak)


def _with_early(rule: Rule, control: Moments, treatment: Moments, look: _Look) -> _Look:
    """Return the look with what needs no floor: the evidence of harm, and the sequences of the same test."""
    if look.reason:
        look = look._replace(effect=effect.of_rates(control, treatment, smallsample.PART * rule.alpha))
    if _worse(rule, (arm(control, binary=True), arm(treatment, binary=True))):
        look = look._replace(log_early=_log_early(rule, control, treatment))
    return look


def evaluate_pairs(
    rule: Rule, control: PairMoments, treatment: PairMoments, *, peak: Peak | None = None
) -> Evidence:
    """Return the evidence on a Ratio, or on a mean adjusted by its covariate (Cuped), at this look.

    Raises:
        ValueError: Sums that no data can have, or a rule for something else.
    """
    if rule.type not in {"Ratio", "Cuped"} or rule.method != "AsymptoticCS":
        raise ValueError(f"type: {rule.type} by {rule.method} is not about pairs; use Ratio or Cuped")
    for sums in (control.checked(), treatment.checked()):
        if rule.type == "Ratio" and not sums.x:
            nothing = Arm(control.n, 0.0, 0.0), Arm(treatment.n, 0.0, 0.0)
            return _at_peak(rule, nothing, _silent("a denominator is zero, so there is no ratio"), peak)
    arms = (
        (ratio_arm(control), ratio_arm(treatment)) if rule.type == "Ratio" else cuped(control, treatment)[1:3]
    )
    sides = control.numerator, treatment.numerator
    reason = too_few((rule.floor_units, rule.floor_events), *sides, binary=False)
    return _at_peak(rule, arms, _asymptotic(rule, arms, reason, peak), peak)


def _at_peak(rule: Rule, arms: tuple[Arm, Arm], look: _Look, peak: Peak | None) -> Evidence:
    """Join a look with those before it."""
    gap, shown = difference(*arms), look.effect
    before = peak or Peak()
    before = before._replace(variance=before.variance or look.variance)
    log_e = max(look.log_e, look.log_early + smallsample.LOG_PART)
    e_value = log_e if rule.type == "Proportion" else look.log_e
    top = before.reached(log_e, gap.estimate)
    evidence = Evidence(
        gap.estimate, gap.se, shown.low, shown.high, log_e, e_value,
        float(sequential.p_value(top.log_e)), gap.units, None, look.reason, _lift(arms, shown), top,
    )  # fmt: skip
    return evidence._replace(decided=evidence.decided_at(rule, evidence.p_value))


def _silent(reason: str) -> _Look:
    return _Look(0.0, effect.ANY, reason)


def _lift(arms: tuple[Arm, Arm], shown: Effect) -> Lift | None:
    """Return the lift with its sequence; control's mean may be as near to zero as it likes, but above it."""
    found = lift(*arms, 0.0, always=True) if arms[0].mean > 0 else None
    return found._replace(low=shown.lift_low, high=shown.lift_high) if found else None


def too_few(
    rule_floors: tuple[int, int], control: Moments, treatment: Moments, *, binary: bool
) -> str | None:
    """Return why an asymptotic statement may not be made yet, or None; floors are (units, events)."""
    units, events = rule_floors
    for name, sums in (("control", control), ("treatment", treatment)):
        if not binary and sums.n < units:
            return f"{name} has {sums.n} units, needs {units}"
        if binary and sums.total < events:
            return f"{name} has {sums.total:g} events, needs {events}"
        if binary and sums.n - sums.total < events:
            return f"{name} has {sums.n - sums.total:g} units without the event, needs {events}"
    return None


def _asymptotic(rule: Rule, arms: tuple[Arm, Arm], reason: str | None, peak: Peak | None) -> _Look:
    gap = difference(*arms)
    early = -inf
    if rule.type != "Proportion" and _worse(rule, arms):
        spread = smallsample.Gap(abs(gap.estimate), gap.guarded_se, arms[1].n, arms[0].n)
        early = float(smallsample.log_harm_of_mean(spread, rule.alpha))
    if reason or not gap.guarded_se:
        why = reason or "no value differs from another, so nothing can be said"
        return _silent(why)._replace(log_early=early)
    variance = pooled_variance(*arms)
    information = gap.units / rule.n_star * variance / ((peak.variance if peak else 0.0) or variance)
    width = float(sequential.half_width(information, rule.level))
    log_e = float(sequential.log_evidence(gap.estimate / gap.guarded_se, information, rule.level))
    return _Look(log_e + smallsample.LOG_REST, effect.of_means(*arms, width), None, early, variance)


def pooled_variance(control: Arm, treatment: Arm) -> float:
    """Return the variance of one unit within its arm."""
    return (control.n * control.variance + treatment.n * treatment.variance) / (control.n + treatment.n)


def _worse(rule: Rule, arms: tuple[Arm, Arm]) -> bool:
    control, treatment = arms
    if not control.n or not treatment.n or control.mean == treatment.mean:
        return False
    return (treatment.mean > control.mean) == (rule.direction == "Decrease")


def _log_early(rule: Rule, control: Moments, treatment: Moments) -> float:
    flip = rule.direction == "Increase"
    b, a = (sums.n - sums.total if flip else sums.total for sums in (treatment, control))
    return float(smallsample.log_harm_of_proportion(b, treatment.n, a, control.n))


def _beta_binomial(rule: Rule, control: Moments, treatment: Moments, share: float) -> _Look:
    if not control.n or not treatment.n:
        return _silent("an arm has no units")
    flip = rule.count == "NonEvents"
    b, a = (sums.n - sums.total if flip else sums.total for sums in (treatment, control))
    log_e = float(betabinomial.log_evidence(betabinomial.Split(b, a, share, rule.concentration)))
    shown = effect.of_events(control, treatment, share, (rule.concentration, rule.alpha), flip=flip)
    return _Look(log_e + log1p(-2 * RATE_PART), shown, None)


def _refuse(rule: Rule, control: Moments, treatment: Moments, share: float) -> None:
    if not 0 < share < 1:
        raise ValueError(f"share: {share} is not between 0 and 1")
    if rule.method not in METHODS or rule.type not in TYPES:
        raise ValueError(f"rule: {rule.type!r} by {rule.method!r} is none of {TYPES} by {METHODS}")
    for sums in (control, treatment):
        sums.checked_proportion() if rule.type == "Proportion" else sums.checked()


def threshold(alpha: float, tests: int = 1) -> float:
    """Return the ln e at which one of `tests` e-values rejects: ln(tests / alpha)."""
    return log(tests / alpha)
