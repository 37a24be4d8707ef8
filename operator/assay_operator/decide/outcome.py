"""What can become of an Experiment, and what a check of it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from assay_operator.decide.observed import Observed

Kind = Literal["Hold", "Advance", "Promote", "RollBack", "Invalidate", "Conclude", "Abort"]


@dataclass(frozen=True)
class Outcome:
    """What to do, why in one word, and the number and the bar in a sentence."""

    kind: Kind
    reason: str
    message: str
    winner: str | None = None  # version

    @property
    def final(self) -> bool:
        """Whether the Experiment is over."""
        return self.kind not in {"Hold", "Advance"}


Check = Callable[[Observed], Outcome | None]
