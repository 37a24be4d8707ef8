"""Conditions yet to be dated."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay_api import Condition
from assay_api.reason import Reason

_MAX_MESSAGE = 4096
Flag = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class Claim:
    """A condition yet to be dated."""

    type: str
    status: Flag
    reason: Reason
    message: str


def flag(*, of: bool) -> Flag:
    """Return a condition's status."""
    return "True" if of else "False"


def progress(reason: Reason, message: str, *, active: bool, stalled: bool) -> tuple[Claim, ...]:
    """Return Progressing, and the two conditions that say the same in the words of kstatus."""
    return (
        Claim("Progressing", flag(of=active), reason, message),
        Claim("Reconciling", flag(of=active), reason, message),
        Claim("Stalled", flag(of=stalled), reason, message),
    )


def dated(claim: Claim, generation: int, now: datetime) -> Condition:
    """Return the claim as a condition of the present generation; Kubernetes' times are in seconds."""
    return Condition.model_construct(  # of our own words: nothing in it has to be checked
        type=claim.type,
        status=claim.status,
        reason=str(claim.reason),
        message=claim.message[:_MAX_MESSAGE],
        observed_generation=generation,
        last_transition_time=now.replace(microsecond=0),
    )


def repeats(claim: Claim, known: Condition | None, generation: int) -> bool:
    """Tell whether the claim is what the condition says already, of the same generation."""
    return known is not None and (
        claim.status == known.status
        and claim.reason == known.reason
        and claim.message[:_MAX_MESSAGE] == known.message
        and generation == known.observed_generation
    )
