"""What can become of an Experiment, and what a check of it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assay_api.reason import Reason
from assay_operator.decide.experiment_facts import ExperimentFacts

Kind = Literal["Hold", "Advance", "Drop", "Promote", "RollBack", "Invalidate", "Conclude", "Abort"]


@dataclass(frozen=True)
class Decision:
    """What to do, why in one word, and the number and the bar in a sentence.

    Attributes:
        kind: Drop takes one candidate out and lets the others go on.
        reason: Why, in a word.
        message: Why, in a sentence.
        winner: The version that is promoted, if one is.
        arm: The candidate that is dropped, if one is.
    """

    kind: Kind
    reason: Reason
    message: str
    winner: str | None = None
    arm: str = ""

    @property
    def final(self) -> bool:
        """Whether the Experiment is over."""
        return self.kind not in {"Hold", "Advance", "Drop"}


Check = Callable[[ExperimentFacts], Decision | None]
