"""Where in its layer an Experiment may stand: slots that no other of it owns, under its salt."""

from dataclasses import dataclass

from assay_api import Experiment
from assay_api.reason import Reason
from assay_assign import Span, gaps, room
from assay_assign.layer import SLOTS_PER_PERCENT, WHOLE
from assay_operator.decide.start import StartBlocker


@dataclass(frozen=True)
class Holding:
    """The part of a layer that an Experiment owns, and the salt under which it does."""

    uid: str
    name: str
    salt: str
    span: Span


def place(experiment: Experiment, others: tuple[Holding, ...]) -> Holding | StartBlocker:
    """Return the slots that an Experiment gets beside the `others` of its layer, or why it has to wait.

    Who finds its layer empty brings a new salt: whoever was together in an arm before is mixed again.
    """
    uid, name, layer = experiment.metadata.uid, experiment.metadata.name, experiment.spec.layer
    if layer is None:
        return Holding(uid, name, uid, WHOLE)
    taken = [other.span for other in others]
    if span := room(taken, layer.share):
        return Holding(uid, name, others[0].salt if others else uid, span)
    free = max((gap.width for gap in gaps(taken)), default=0) // SLOTS_PER_PERCENT
    who = ", ".join(f"{other.name} {other.span.width // SLOTS_PER_PERCENT}%" for other in others)
    words = f"layer {layer.name}: {layer.share}% asked for, {free}% free in one piece; taken by {who}"
    return StartBlocker("Queued", Reason.LAYER_FULL, words)
