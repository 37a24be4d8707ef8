"""Who may be promoted without a verdict: the best candidate that no measurement speaks against."""

from math import copysign

from assay_api import Arm
from assay_operator.decide.experiment_facts import ExperimentFacts, Reading

Blocker = str
"""Why an arm may not be promoted; empty if nothing speaks against it."""


def promotable(facts: ExperimentFacts) -> tuple[Arm | None, str]:
    """Return the arm that `onInconclusive: Promote` promotes, or None, and why.

    No harm may be shown in the primary or in any guardrail, and each guardrail's estimate must be within its
    margin; a metric without numbers speaks against the arm. Of those left, the best estimate counts.
    """
    if facts.spec.decision.approval == "Manual" and not facts.approved:
        return None, "nobody has approved it"
    if facts.quality.srm is None:
        return None, "the split was never checked"
    blockers = {arm.name: _blocker(facts, arm.name) for arm in facts.candidates}
    free = [arm for arm in facts.candidates if not blockers[arm.name]]
    if not free:
        return None, "; ".join(blockers.values())
    best = max(free, key=lambda arm: _gain(facts, arm.name))
    estimate = "best estimate of those left, " if len(facts.spec.candidates) > 1 else ""
    return best, f"{estimate}no harm is shown and every guardrail's estimate is within its margin"


def _blocker(facts: ExperimentFacts, arm: str) -> Blocker:
    """Say the first thing that speaks against an arm."""
    readings = [r for role in ("Primary", "Guardrail") for r in facts.of(role) if r.arm == arm]
    return next((words for reading in readings if (words := _against(reading))), "")


def _against(reading: Reading) -> Blocker:
    name = f"{reading.metric} of {reading.arm}"
    if not reading.control.n or not reading.candidate.n:
        return f"{name} has no numbers"
    if reading.evidence and reading.evidence.decided == "worse":
        return f"{name} is worse"
    if reading.harm and reading.harm.breached:
        return f"{name} shows harm"
    within = reading.non_inferiority
    if within and not _inside(within.estimate, within.margin):
        return f"{name} is estimated at {within.estimate:+.3g}, beyond its margin {within.margin:+.3g}"
    return ""


def _inside(estimate: float, margin: float) -> bool:
    """Margins have the sign of what is worse, even where a relative one is a part of nothing."""
    return estimate <= margin if copysign(1, margin) > 0 else estimate >= margin


def _gain(facts: ExperimentFacts, arm: str) -> float:
    """Return how much better the primary is estimated; without one all are alike."""
    primary = facts.spec.metrics.primary
    reading = next((r for r in facts.of("Primary") if r.arm == arm), None)
    if primary is None or reading is None or reading.evidence is None:
        return 0.0
    return reading.evidence.estimate if primary.direction == "Increase" else -reading.evidence.estimate
