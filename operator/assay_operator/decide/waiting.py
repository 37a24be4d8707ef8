"""What a running Experiment waits for, with number and bar."""

from assay_api.duration import seconds, spelled
from assay_operator.decide.analysis import missing
from assay_operator.decide.observed import Observed, Reading


def waits_for(seen: Observed) -> str:
    """Say, with number and bar, what is missing for the next step or the verdict."""
    step = seen.spec.ramp[seen.step]
    fewest = min(arm.units for arm in seen.present)
    if seen.in_step < (least := seconds(step.min_duration)):
        return f"step {step.percent}%: {spelled(seen.in_step)} of {spelled(least)}"
    if fewest < step.min_units_per_arm:
        return f"step {step.percent}%: {fewest} of {step.min_units_per_arm} units in the smallest arm"
    if seen.elapsed < (least := seconds(seen.spec.decision.min_duration)):
        return f"minDuration: {spelled(seen.elapsed)} of {spelled(least)}"
    for reading in seen.of("Primary"):
        if (evidence := reading.evidence) and evidence.decided is None:
            needs = f"p {evidence.p_value:.3g}, needs {seen.spec.decision.alpha:g}"
            why = evidence.undecidable_reason or f"{needs}{_missing(seen, reading)}"
            return f"{reading.metric} of {reading.arm}: {why}"
    for reading in seen.of("Guardrail"):
        bearable = reading.non_inferiority
        if bearable and not bearable.passed:
            needs = f"log evidence {bearable.log_e:.2f}, needs {bearable.threshold:.2f}"
            why = bearable.undecidable_reason or f"{needs}{_missing(seen, reading)}"
            return f"{reading.metric} of {reading.arm} within its margin: {why}"
    return "the next step"


def _missing(seen: Observed, reading: Reading) -> str:
    """Say how many units are missing if the estimate stays, which it need not."""
    more = missing(seen, reading)
    if more is None:
        return "; at the present estimate no number of units would show it"
    arms = f"{more[0]:,} {seen.spec.control.name} + {more[1]:,} {reading.arm}"
    return f"; about {arms} units more at the present estimate"
