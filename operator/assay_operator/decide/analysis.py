"""From counts to readings: the frozen rule of each metric, applied to each candidate."""

from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from math import isfinite
from typing import NamedTuple, TypeVar

from assay_api import ExperimentSpec, Guardrail, Metric, Primary
from assay_api.evidence import Peak as ReachedPeak
from assay_api.experiment_status import FrozenRule, Plan
from assay_operator.decide.observed import ArmCounts, Reading, Role
from assay_stats import (
    Design,
    GuardrailRule,
    Moments,
    Peak,
    Rule,
    evaluate,
    guardrail_rule,
    harm,
    non_inferiority,
    primary_rule,
    units_per_arm,
)
from assay_stats.planning import INFLATION

NOTHING = Moments(0, 0.0, 0.0)
SRM_ALPHA = 0.001
LOG_LAG = 2.0  # seconds from the end of a request to its place in the counts


def plan(spec: ExperimentSpec, timeout: float = 30.0) -> Plan:
    """Fix what must not change once data is seen: the test of each metric, and the sample size.

    Rules that share the control's alpha for rollback: guardrails times candidates (Bonferroni).
    """
    primary, alpha = spec.metrics.primary, spec.decision.alpha
    wanted = _units(spec, primary) if primary else None
    tests = max(len(spec.metrics.guardrails) * len(spec.candidates), 1)
    rules: dict[str, FrozenRule] = {}
    for metric in (*((primary,) if primary else ()), *spec.metrics.secondary):
        units = 2 * wanted if wanted and metric is primary else None
        rules[metric.name] = _frozen(_rule(metric, alpha, units))
    for guardrail in spec.metrics.guardrails:
        rules[guardrail.name] = _frozen(_guard(guardrail, alpha, tests, wanted))
    return Plan(units_per_arm=wanted, settle_seconds=timeout + LOG_LAG, rules=rules)


def _frozen(rule: Rule | GuardrailRule) -> FrozenRule:
    return FrozenRule(**asdict(rule))


R = TypeVar("R", Rule, GuardrailRule)


def thawed(kind: type[R], rule: FrozenRule) -> R:
    """Return the rule as the statistics know it."""
    values = {field.name: getattr(rule, field.name) for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if value is not None})


def _rule(metric: Metric, alpha: float, units: float | None) -> Rule:
    rate = metric.baseline if metric.type == "Proportion" and metric.counts_every_unit else None
    return primary_rule(
        metric.type, alpha=alpha, planned_units=units, base_rate=rate, direction=metric.direction
    )


def _guard(guardrail: Guardrail, alpha: float, tests: int, units: int | None) -> GuardrailRule:
    margin = guardrail.margin
    return guardrail_rule(
        guardrail.type,
        alpha=alpha,
        guardrails=tests,
        relative=margin.relative or 0.0,
        absolute=margin.absolute or 0.0,
        direction=guardrail.direction,
        base_rate=_guard_rate(guardrail),
        planned_units=2 * units if units else None,
    )


def _guard_rate(guardrail: Guardrail) -> float | None:
    """Where only units with an outcome count, their split is not the declared one: no rule may rely on it."""
    if guardrail.type != "Proportion":
        return None
    return guardrail.baseline if guardrail.counts_every_unit else 0.5


def _units(spec: ExperimentSpec, primary: Primary) -> int | None:
    """Units of the larger arm of control and first candidate, for the minimum effect at the wanted power."""
    effect, base = primary.minimum_effect, primary.baseline
    if effect is None or base is None or (primary.type == "Mean" and primary.deviation is None):
        return None
    absolute = effect.absolute or (effect.relative or 0) * abs(base)
    absolute *= 1 if primary.direction == "Increase" else -1
    share = share_of(spec, spec.candidates[0].name)
    design = Design(
        alpha=spec.decision.alpha, power=spec.decision.power, share=share, inflation=INFLATION["Sequential"]
    )
    variance = primary.deviation**2 if primary.deviation and primary.type == "Mean" else None
    size = units_per_arm(base, absolute, design, variance=variance)
    return round(max(size.control, size.treatment))


def share_of(spec: ExperimentSpec, arm: str) -> float:
    """Return the candidate's declared part of the units of itself and the control."""
    weights = spec.weights
    return weights[arm] / (weights[arm] + weights[spec.control.name])


def readings(
    spec: ExperimentSpec, fixed: Plan, arms: tuple[ArmCounts, ...], before: Iterable[ReachedPeak]
) -> tuple[Reading, ...]:
    """Return a reading of every metric of every candidate; the evidence so far goes on growing."""
    peaks = {(peak.metric, peak.arm): peak.values for peak in before}
    control, *candidates = arms
    return tuple(
        _reading(
            Reading(
                metric.name, role, candidate.name, _moments(control, metric), _moments(candidate, metric)
            ),
            fixed.rules[metric.name],
            Pairing(share_of(spec, candidate.name), len(spec.candidates)),
            peaks.get((metric.name, candidate.name), ()) or (0.0, 0.0),
        )
        for role, metric in roles(spec)
        for candidate in candidates
    )


def reached(reading: Reading) -> ReachedPeak:
    """Return the log evidence that a reading has reached, to be remembered."""
    if reading.evidence:
        return ReachedPeak(metric=reading.metric, arm=reading.arm, values=tuple(reading.evidence.peak))
    harm, within = reading.harm, reading.non_inferiority
    values = (_number(harm.log_e), _number(within.log_e)) if harm and within else ()
    return ReachedPeak(metric=reading.metric, arm=reading.arm, values=values)


def roles(spec: ExperimentSpec) -> tuple[tuple[Role, Metric], ...]:
    """Return every metric with its role."""
    metrics = spec.metrics
    first: tuple[tuple[Role, Metric], ...] = (("Primary", metrics.primary),) if metrics.primary else ()
    guards: tuple[tuple[Role, Metric], ...] = tuple(
        ("Guardrail", guardrail) for guardrail in metrics.guardrails
    )
    return (*first, *guards, *(("Secondary", metric) for metric in metrics.secondary))


def _moments(arm: ArmCounts, metric: Metric) -> Moments:
    return arm.moments.get(metric.name, NOTHING)


class Pairing(NamedTuple):
    """A candidate's declared part of its and the control's units, and how many candidates there are."""

    share: float
    candidates: int


def _reading(seen: Reading, rule: FrozenRule, pairing: Pairing, peak: tuple[float, ...]) -> Reading:
    """Any candidate may be promoted by a false clearance, so that clearing is corrected for their number."""
    share, candidates = pairing
    if seen.role != "Guardrail":
        evidence = evaluate(thawed(Rule, rule), seen.control, seen.candidate, share, peak=Peak(*peak))
        return replace(seen, evidence=evidence)
    guard, sums = thawed(GuardrailRule, rule), (seen.control, seen.candidate)
    worse = harm(guard, *sums, share, previous=peak[0])
    within = non_inferiority(guard, *sums, share, previous=peak[1], candidates=candidates)
    if worse.breached:
        within = within._replace(passed=False, undecidable_reason="harm was shown")
    return replace(seen, harm=worse, non_inferiority=within)


def _number(value: float) -> float:
    return round(value, 9) if isfinite(value) else 0.0
