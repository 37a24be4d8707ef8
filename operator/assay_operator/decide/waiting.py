"""What a running Experiment waits for, with number and bar."""

from assay_api.duration import seconds, spelled
from assay_operator.decide.analysis import missing
from assay_operator.decide.experiment_facts import ExperimentFacts, Reading


def waits_for(facts: ExperimentFacts) -> str:
    """Say, with number and bar, what is missing for the next step or the verdict."""
    step = facts.spec.ramp[facts.step]
    fewest = min(arm.units for arm in facts.present)
    if facts.in_step < (least := seconds(step.min_duration)):
        return f"step {step.percent}%: {spelled(facts.in_step)} of {spelled(least)}"
    if fewest < step.min_units_per_arm:
        return f"step {step.percent}%: {fewest} of {step.min_units_per_arm} units in the smallest arm"
    if facts.elapsed < (least := seconds(facts.spec.decision.min_duration)):
        return f"minDuration: {spelled(facts.elapsed)} of {spelled(least)}"
    for reading in facts.of("Primary"):
        if (evidence := reading.evidence) and evidence.decided is None:
            needs = f"p {evidence.p_value:.3g}, needs {facts.spec.decision.alpha:g}"
            why = evidence.undecidable_reason or f"{needs}{_missing(facts, reading)}"
            return f"{reading.metric} of {reading.arm}: {why}"
    for reading in facts.of("Guardrail"):
        within = reading.non_inferiority
        if within and not within.passed:
            needs = f"log evidence {within.log_e:.2f}, needs {within.threshold:.2f}"
            why = within.undecidable_reason or f"{needs}{_missing(facts, reading)}"
            return f"{reading.metric} of {reading.arm} within its margin: {why}"
    return "the next step"


def _missing(facts: ExperimentFacts, reading: Reading) -> str:
    """Say how many units are missing if the estimate stays, which it need not."""
    more = missing(facts, reading)
    if more is None:
        return "; at the present estimate no number of units would show it"
    arms = f"{more[0]:,} {facts.spec.control.name} + {more[1]:,} {reading.arm}"
    return f"; about {arms} units more at the present estimate"
