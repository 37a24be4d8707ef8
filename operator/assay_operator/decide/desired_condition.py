"""Conditions that an object shall have, yet to be dated."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from assay_api import Condition
from assay_api.reason import Reason

_MAX_MESSAGE = 4096
Flag = Literal["True", "False", "Unknown"]


@dataclass(frozen=True)
class DesiredCondition:
    """A condition yet to be dated."""

    type: str
    status: Flag
    reason: Reason
    message: str


def flag(*, of: bool) -> Flag:
    """Return a condition's status."""
    return "True" if of else "False"


def progress(reason: Reason, message: str, *, active: bool, stalled: bool) -> tuple[DesiredCondition, ...]:
    """Return Progressing, and the two conditions that say the same in the words of kstatus."""
    return (
        DesiredCondition("Progressing", flag(of=active), reason, message),
        DesiredCondition("Reconciling", flag(of=active), reason, message),
        DesiredCondition("Stalled", flag(of=stalled), reason, message),
    )


def dated(condition: DesiredCondition, generation: int, now: datetime) -> Condition:
    """Return it as a condition of the present generation; Kubernetes' times are in seconds."""
    return Condition.model_construct(  # of our own words: nothing in it has to be checked
        type=condition.type,
        status=condition.status,
        reason=str(condition.reason),
        message=condition.message[:_MAX_MESSAGE],
        observed_generation=generation,
        last_transition_time=now.replace(microsecond=0),
    )


def repeats(condition: DesiredCondition, known: Condition | None, generation: int) -> bool:
    """Tell whether it is what the condition says already, of the same generation."""
    return known is not None and (
        condition.status == known.status
        and condition.reason == known.reason
        and condition.message[:_MAX_MESSAGE] == known.message
        and generation == known.observed_generation
    )
