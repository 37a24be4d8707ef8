"""How an Experiment is shown: its conditions and its phase, from what was decided."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay_api import Condition, ExperimentStatus
from assay_api.experiment_status import Verdict

_LONGEST = 32768
Flag = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Claim:
    """A condition yet to be dated."""

    type: str
    status: Flag
    reason: str
    message: str


def dated(claim: Claim, generation: int, now: datetime) -> Condition:
    """Return the claim as a condition of the object's present generation."""
    return Condition(
        type=claim.type,
        status=claim.status,
        reason=claim.reason,
        message=claim.message[:_LONGEST],
        observed_generation=generation,
        last_transition_time=now,
    )


PHASES = {
    "Promote": "Promoted",
    "RollBack": "RolledBack",
    "Invalidate": "Invalid",
    "Conclude": "Inconclusive",
    "Abort": "Aborted",
}
ASKS = "WaitingForApproval"
_BAD = {"RollBack", "Invalidate", "Abort"}


def pending(phase: str, reason: str, message: str) -> tuple[str, tuple[Claim, ...]]:
    """Return phase and conditions of an Experiment that has not started."""
    return phase, (
        Claim("Ready", "False", reason, message),
        Claim("Progressing", "True", reason, message),
        Claim("Degraded", "False", reason, message),
    )


def running(reason: str, message: str) -> tuple[str, tuple[Claim, ...]]:
    """Return phase and conditions of one that runs and says what it waits for."""
    return ASKS if reason == ASKS else "Running", (
        Claim("Ready", "True", "Running", "units are split and measured"),
        Claim("Progressing", "True", reason, message),
        Claim("Degraded", "False", "Running", "nothing is wrong"),
    )


def over(verdict: Verdict) -> tuple[str, tuple[Claim, ...]]:
    """Return phase and conditions of one that is decided."""
    why = (verdict.reason, verdict.message)
    return PHASES[verdict.verdict], (
        Claim("Ready", "True", *why),
        Claim("Progressing", "False", *why),
        Claim("Degraded", "True" if verdict.verdict in _BAD else "False", *why),
    )


def material(before: ExperimentStatus, after: ExperimentStatus) -> bool:
    """Tell whether two statuses differ in more than numbers that grow by themselves."""
    told = {c.type: (c.status, c.reason) for c in before.conditions}
    same = all(told.get(c.type) == (c.status, c.reason) for c in after.conditions)
    grown = {
        "arms": before.arms,
        "analysis": before.analysis,
        "checks": before.checks,
        "conditions": before.conditions if same else after.conditions,
    }
    return before != after.model_copy(update=grown)
