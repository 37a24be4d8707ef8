"""An Experiment's phase and conditions, from what was decided."""

from assay_api import ExperimentStatus
from assay_api.experiment_status import Verdict
from assay_api.reason import VERDICTS, Reason
from assay_operator.decide.decision import Decision
from assay_operator.decide.desired_condition import DesiredCondition, Flag, flag, progress
from assay_operator.decide.start import StartBlocker

PHASES = {
    "Promote": "Promoted",
    "RollBack": "RolledBack",
    "Invalidate": "Invalid",
    "Conclude": "Inconclusive",
    "Abort": "Aborted",
}
WAITING_FOR_APPROVAL = "WaitingForApproval"
EVERY_PHASE = ("Queued", "Pending", "Running", WAITING_FOR_APPROVAL, *PHASES.values())
_EXPECTED_ENDS = {Reason.AA_EQUAL, Reason.SHADOW_OVER}

Shown = tuple[str, tuple[DesiredCondition, ...]]
_AS_EXPECTED = DesiredCondition("Degraded", "False", Reason.AS_EXPECTED, "no failure is known")


def waiting(blocker: StartBlocker) -> Shown:
    """Return phase and conditions of an Experiment that has not started."""
    why = (blocker.reason, blocker.message)
    return blocker.phase, (
        DesiredCondition("Ready", "Unknown", *why),
        *progress(*why, active=True, stalled=False),
        _AS_EXPECTED,
    )


def running(decision: Decision, dropped: tuple[str, ...]) -> Shown:
    """Return phase and conditions of one that runs and says what it waits for."""
    approval = decision.reason == Reason.WAITING_FOR_APPROVAL
    healthy = DesiredCondition(
        "Degraded", "False", Reason.ALL_ARMS_HEALTHY, "no guardrail breached, all arms available"
    )
    lost = DesiredCondition("Degraded", "True", Reason.ARM_DROPPED, f"dropped: {', '.join(dropped)}")
    return WAITING_FOR_APPROVAL if approval else "Running", (
        DesiredCondition("Ready", "Unknown", Reason.RUNNING, "undecided: units are split and measured"),
        *progress(decision.reason, decision.message, active=True, stalled=False),
        lost if dropped else healthy,
    )


def over(verdict: Verdict) -> Shown:
    """Return phase and conditions of one that is decided."""
    reason = Reason(verdict.reason)
    done = verdict.winner is not None or reason in _EXPECTED_ENDS
    bad = not done and VERDICTS[reason].severity == "Warning" if reason in VERDICTS else False
    bad = bad or reason == Reason.AA_DIFFERS
    ready: Flag = flag(of=done)
    why = (reason, verdict.message)
    return PHASES[verdict.verdict], (
        DesiredCondition("Ready", ready, *why),
        *progress(*why, active=False, stalled=not done),
        DesiredCondition("Degraded", "True", *why) if bad else _AS_EXPECTED,
    )


def invalid(message: str) -> Shown:
    """Return phase and conditions of one whose spec cannot be used."""
    why = (Reason.INVALID_SPEC, message)
    return "Invalid", (
        DesiredCondition("Ready", "False", *why),
        *progress(*why, active=False, stalled=True),
        DesiredCondition("Degraded", "True", *why),
    )


def is_material(before: ExperimentStatus, after: ExperimentStatus) -> bool:
    """Tell whether two statuses differ in more than numbers that grow by themselves."""
    known = {c.type: (c.status, c.reason) for c in before.conditions}
    same = all(known.get(c.type) == (c.status, c.reason) for c in after.conditions)
    state = before.state
    grown = {"peaks": state.peaks, "counted": state.counted, "srm_log_evidence": state.srm_log_evidence}
    alike = {
        "arms": before.arms,
        "analysis": before.analysis,
        "checks": before.checks,
        "state": after.state.changed(**grown),
        "conditions": before.conditions if same else after.conditions,
    }
    return before != after.changed(**alike)
