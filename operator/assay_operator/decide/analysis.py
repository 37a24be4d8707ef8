"""From counts to readings: the frozen rule of each metric, applied to each candidate."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, fields, replace
from math import isfinite
from typing import NamedTuple, TypeVar

from assay_api import ExperimentSpec, Guardrail, Metric
from assay_api.evidence import Peak as ReachedPeak
from assay_api.experiment_status import AnalysisPlan, Baseline, FrozenRule
from assay_api.names import mature
from assay_operator.decide.baseline import based
from assay_operator.decide.experiment_facts import ArmCounts, ExperimentFacts, Mature, Reading, Role
from assay_operator.decide.forecast import effect_of, sizes
from assay_operator.decide.maturity import COMPLETE, IMMATURE, lags
from assay_stats import (
    GuardrailRule,
    Moments,
    Peak,
    Rule,
    evaluate,
    guardrail_rule,
    harm,
    non_inferiority,
    primary_rule,
    threshold,
)
from assay_stats.guardrail import log_safety

NOTHING = Moments(0, 0.0, 0.0)
NO_PEAK = (0.0,) * 6
MOST_DOUBLINGS = 10
HALVINGS = 7
SRM_ALPHA = 0.001
LOG_LAG = 2.0  # seconds from the end of a request to its place in the counts


def plan(spec: ExperimentSpec, timeout: float = 30.0, known: Baseline | None = None) -> AnalysisPlan:
    """Fix what must not change once data is reading: the test of each metric, and the sample size.

    Rules that share the control's alpha for rollback: guardrails times candidates (Bonferroni).

    Args:
        spec: The design.
        timeout: Seconds after which every request of a unit has ended.
        known: The level of the primary metric, where the spec does not have it.
    """
    primary, alpha = spec.metrics.primary, spec.decision.alpha
    primary = based(primary, known) if primary else None
    effect = effect_of(primary) if primary else None
    arms = sizes(spec, primary, effect) if primary and effect else {}
    wanted = _pair(spec, arms) if arms else None
    tests = max(len(spec.metrics.guardrails) * len(spec.candidates), 1)
    rules: dict[str, FrozenRule] = {}
    for metric in (*((primary,) if primary else ()), *spec.metrics.secondary):
        units = wanted if metric is primary else None
        rules[metric.name] = _frozen(_rule(metric, alpha, units))
    for guardrail in spec.metrics.guardrails:
        rules[guardrail.name] = _frozen(_guard(guardrail, alpha, tests, wanted))
    if primary and primary.baseline is not None and known is None:
        known = Baseline(value=primary.baseline, deviation=primary.deviation, source="Spec")
    return AnalysisPlan(
        units_per_arm=max(arms.values(), default=None),
        units=arms,
        effect=effect,
        baseline=known,
        settle_seconds=timeout + LOG_LAG,
        lags=lags(spec),
        rules=rules,
    )


def _pair(spec: ExperimentSpec, arms: dict[str, int]) -> int:
    """Return the units of the control and the candidate that needs the most."""
    return arms[spec.control.name] + max(arms[arm.name] for arm in spec.candidates)


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
        planned_units=units,
    )


def _guard_rate(guardrail: Guardrail) -> float | None:
    """Where only units with an outcome count, their split is not the declared one: no rule may rely on it."""
    if guardrail.type != "Proportion":
        return None
    return guardrail.baseline if guardrail.counts_every_unit else 0.5


def share_of(spec: ExperimentSpec, arm: str) -> float:
    """Return the candidate's declared part of the units of itself and the control."""
    weights = spec.weights
    return weights[arm] / (weights[arm] + weights[spec.control.name])


def readings(
    spec: ExperimentSpec, fixed: AnalysisPlan, arms: tuple[ArmCounts, ...], before: Iterable[ReachedPeak]
) -> tuple[Reading, ...]:
    """Return a reading of every metric of every candidate; the evidence so far goes on growing."""
    peaks = {(peak.metric, peak.arm): peak.values for peak in before}
    control, *candidates = arms
    return tuple(
        _reading(
            Reading(
                metric.name,
                role,
                candidate.name,
                _moments(control, metric.name),
                _moments(candidate, metric.name),
                _mature(fixed, metric.name, control, candidate),
            ),
            fixed.rules[metric.name],
            Pairing(share_of(spec, candidate.name), len(spec.candidates)),
            (*peaks.get((metric.name, candidate.name), ()), *NO_PEAK),
        )
        for role, metric in roles(spec)
        for candidate in candidates
    )


def reached(reading: Reading) -> ReachedPeak:
    """Return the log evidence that a reading has reached, to be remembered."""
    harm, within = reading.harm, reading.non_inferiority
    values: tuple[float, ...] = ()
    if reading.evidence and reading.early:
        values = (*reading.early.peak, *reading.evidence.peak)
    elif reading.evidence:
        values = tuple(reading.evidence.peak)
    elif harm and within:
        values = tuple(map(_number, (harm.log_e, within.log_e, harm.variance, within.variance)))
    return ReachedPeak(metric=reading.metric, arm=reading.arm, values=values)


def roles(spec: ExperimentSpec) -> tuple[tuple[Role, Metric], ...]:
    """Return every metric with its role."""
    metrics = spec.metrics
    first: tuple[tuple[Role, Metric], ...] = (("Primary", metrics.primary),) if metrics.primary else ()
    guards: tuple[tuple[Role, Metric], ...] = tuple(
        ("Guardrail", guardrail) for guardrail in metrics.guardrails
    )
    return (*first, *guards, *(("Secondary", metric) for metric in metrics.secondary))


def _moments(arm: ArmCounts, metric: str) -> Moments:
    return arm.moments.get(metric, NOTHING)


def _mature(fixed: AnalysisPlan, metric: str, control: ArmCounts, candidate: ArmCounts) -> Mature | None:
    """Return the sums of mature units, where only these can show that a candidate is no worse, or better."""
    lag = fixed.lags.get(metric)
    if lag is None:
        return None
    return Mature(_moments(control, mature(metric)), _moments(candidate, mature(metric)), lag.learned)


class Pairing(NamedTuple):
    """A candidate's declared part of its and the control's units, and how many candidates there are."""

    share: float
    candidates: int


def _reading(reading: Reading, rule: FrozenRule, pairing: Pairing, peak: tuple[float, ...]) -> Reading:
    """Any candidate may be promoted by a false clearance, so that clearing is corrected for their number."""
    share, candidates = pairing
    if reading.role != "Guardrail":
        return _compared(reading, thawed(Rule, rule), share, peak)
    guard, old = thawed(GuardrailRule, rule), reading.mature
    worse = harm(guard, reading.control, reading.candidate, share, previous=peak[0], variance=peak[2])
    within = non_inferiority(
        replace(guard, absolute=guard.absolute * (COMPLETE if old and old.learned else 1.0)),
        *(old[:2] if old else (reading.control, reading.candidate)),
        share,
        previous=peak[1],
        variance=peak[3],
        candidates=candidates,
    )
    if old and not (old.control.n and old.candidate.n):
        within = within._replace(undecidable_reason=IMMATURE)
    if worse.breached:
        within = within._replace(passed=False, undecidable_reason="harm was shown")
    return replace(reading, harm=worse, non_inferiority=within)


def _compared(reading: Reading, rule: Rule, share: float, peak: tuple[float, ...]) -> Reading:
    """Mature units show what is better; what is worse may be reading of all units, and at once."""
    now = evaluate(rule, reading.control, reading.candidate, share, peak=Peak(*peak[:3]))
    if reading.mature is None:
        return replace(reading, evidence=now)
    old = evaluate(rule, *reading.mature[:2], share, peak=Peak(*peak[3:6]))
    if not (reading.mature.control.n and reading.mature.candidate.n):
        old = old._replace(undecidable_reason=IMMATURE)
    return replace(reading, evidence=now if now.decided == "worse" else old, early=now)


def missing(facts: ExperimentFacts, reading: Reading) -> tuple[int, int] | None:
    """Return how many more units of control and candidate decide at the present estimate; None if none would.

    The sums are scaled: as many times the units with the same mean and spread.
    """
    rule = facts.plan.rules.get(reading.metric) if facts.plan else None
    if rule is None:
        return None
    share, old = share_of(facts.spec, reading.arm), reading.mature
    sums = (old.control, old.candidate) if old else (reading.control, reading.candidate)
    if reading.role == "Guardrail":
        part = COMPLETE if old and old.learned else 1.0
        guard = thawed(GuardrailRule, rule)
        guard = replace(guard, absolute=guard.absolute * part)
        bar = threshold(guard.alpha, len(facts.spec.candidates))
        factor = _factor(lambda by: log_safety(guard, *_scaled(sums, by), share) >= bar)
    else:
        compared = thawed(Rule, rule)
        alpha = rule.alpha / len(facts.spec.candidates)
        factor = _factor(lambda by: evaluate(compared, *_scaled(sums, by), share).p_value <= alpha)
    return None if factor is None else (_more(sums[0], factor), _more(sums[1], factor))


def _factor(enough: Callable[[float], bool]) -> float | None:
    """Return the smallest factor, to a part of it, by which there must be more; None beyond a thousand."""
    low, high = 0.0, 1.0
    while not enough(2.0**high):
        low, high = high, 2 * high
        if high > MOST_DOUBLINGS:
            return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(2.0**middle) else (middle, high)
    return float(2.0**high)


def _scaled(sums: tuple[Moments, Moments], by: float) -> tuple[Moments, Moments]:
    control, candidate = sums
    return _times(control, by), _times(candidate, by)


def _times(sums: Moments, by: float) -> Moments:
    """Scale to whole units, so that a proportion has no more events than units."""
    n = round(sums.n * by)
    exact = n / sums.n if sums.n else 1.0
    total = float(n) if sums.total == sums.n else sums.total * exact
    return Moments(n, total, sums.squares * exact, sums.shift)


def _more(sums: Moments, factor: float) -> int:
    return max(1, round(sums.n * (factor - 1)))


def _number(value: float) -> float:
    return round(value, 9) if isfinite(value) else 0.0
