"""Readings as the status shows them: the effect with its confidence sequences, and what it means in words.

What is called better or worse is corrected as the verdict is: primaries by Holm over the candidates,
guardrails by their share of alpha, secondary metrics for the false discovery rate over all of them.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from assay_api import ExperimentSpec
from assay_api.experiment_status import Analysis, AnalysisPlan
from assay_operator.decide.analysis import share_of, thawed
from assay_operator.decide.experiment_facts import Reading
from assay_stats import Effect, GuardrailRule, e_bh, holm, shown

Words = Mapping[tuple[str, str], str]
"""What a reading means, by metric and arm."""


def analyses(spec: ExperimentSpec, fixed: AnalysisPlan, readings: Sequence[Reading]) -> tuple[Analysis, ...]:
    """Return a line of every metric of every candidate."""
    words = {**_primaries(spec, readings), **_secondaries(spec, readings)}
    return tuple(
        _line(reading, _evidence(reading, words) if reading.evidence else _guardrail(spec, fixed, reading))
        for reading in readings
    )


def _line(reading: Reading, found: dict[str, Any]) -> Analysis:
    control, candidate = reading.judged
    numbers = {name: _number(value) for name, value in found.items() if name != "says"}
    return Analysis(
        metric=reading.metric,
        arm=reading.arm,
        role=reading.role,
        units=control.n + candidate.n,
        control=_number(control.mean) if control.n else None,
        says=found["says"][:256],
        **numbers,
    )


def _evidence(reading: Reading, words: Words) -> dict[str, Any]:
    evidence = reading.evidence
    assert evidence is not None
    lift = evidence.lift
    return {
        "estimate": evidence.estimate,
        "low": evidence.low,
        "high": evidence.high,
        "lift": lift.estimate if lift else None,
        "lift_low": lift.low if lift else None,
        "lift_high": lift.high if lift else None,
        "p_value": evidence.p_value,
        "log_evidence": evidence.peak.log_e,
        "says": words[reading.metric, reading.arm],
    }


def _guardrail(spec: ExperimentSpec, fixed: AnalysisPlan, reading: Reading) -> dict[str, Any]:
    worse, control, candidate = reading.harm, reading.control, reading.candidate
    assert worse is not None
    rule = thawed(GuardrailRule, fixed.rules[reading.metric])
    effect: Effect = shown(rule, control, candidate, share_of(spec, reading.arm), variance=worse.variance)
    both = control.n and candidate.n and control.mean > 0
    return {
        **effect._asdict(),
        "estimate": worse.estimate,
        "lift": candidate.mean / control.mean - 1 if both else None,
        "p_value": worse.p_value,
        "log_evidence": worse.log_e,
        "says": _of_guardrail(reading),
    }


def _of_guardrail(reading: Reading) -> str:
    worse, within = reading.harm, reading.non_inferiority
    assert worse is not None
    assert within is not None
    if worse.breached:
        return "harm shown"
    if within.passed:
        return "within the margin"
    return within.undecidable_reason or (
        f"not within the margin yet: log evidence {within.log_e:.2f}, needs {within.threshold:.2f}"
    )


def _primaries(spec: ExperimentSpec, readings: Sequence[Reading]) -> Words:
    """Holm over all candidates, as the verdict has it."""
    found = [(r, r.evidence) for r in readings if r.role == "Primary" and r.evidence]
    adjusted = holm([evidence.p_value for _, evidence in found])
    return {
        (reading.metric, reading.arm): (evidence.decided if p <= spec.decision.alpha else None)
        or evidence.undecidable_reason
        or "not decided yet"
        for (reading, evidence), p in zip(found, adjusted, strict=True)
    }


def _secondaries(spec: ExperimentSpec, readings: Sequence[Reading]) -> Words:
    """The false discovery rate over metrics and candidates is alpha, at whichever look (e-BH)."""
    found = [(r, r.evidence) for r in readings if r.role == "Secondary" and r.evidence]
    kept = e_bh([evidence.e_value for _, evidence in found], spec.decision.alpha)
    rises = {metric.name: metric.direction == "Increase" for metric in spec.metrics.secondary}
    corrected = f" with e-BH over {len(found)}" if len(found) > 1 else ""
    words = {}
    for (reading, evidence), discovered in zip(found, kept, strict=True):
        better = (evidence.estimate > 0) == rises[reading.metric]
        verdict = evidence.undecidable_reason or "not decided yet"
        called = discovered if corrected else evidence.decided
        if called and (not better or not evidence.undecidable_reason):
            verdict = f"{'better' if better else 'worse'}{corrected}"
        elif evidence.decided:
            verdict = f"{evidence.decided} taken alone, not{corrected}"
        words[reading.metric, reading.arm] = verdict
    return words


def _number(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else round(value, 9)
