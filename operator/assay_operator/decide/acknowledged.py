"""An A/A test that found a difference is a fault of the test until a person has looked into it."""

from assay_api import Experiment
from assay_api.names import ACKNOWLEDGE
from assay_api.reason import Reason
from assay_operator.decide.desired_condition import DesiredCondition


def differs(experiment: Experiment) -> bool:
    """Tell whether it is an A/A test that found a difference between equal arms."""
    decision = experiment.status.decision
    return decision is not None and decision.reason == Reason.AA_DIFFERS


def acknowledgement(experiment: Experiment) -> tuple[DesiredCondition, ...]:
    """Return the condition that ends the alarm; none while nobody has acknowledged what was found."""
    text = experiment.metadata.annotations.get(ACKNOWLEDGE, "")
    if not text or not differs(experiment):
        return ()
    return (DesiredCondition("Acknowledged", "True", Reason.ACKNOWLEDGED, text[:1024]),)


def unacknowledged(experiments: tuple[Experiment, ...]) -> Experiment | None:
    """Return the A/A test that was decided last, if it found a difference that nobody has acknowledged."""
    decided = [(e.status.decision.at, e) for e in experiments if e.spec.mode == "AA" and e.status.decision]
    if not decided:
        return None
    _, last = max(decided, key=lambda one: one[0])
    return last if differs(last) and not acknowledgement(last) else None
