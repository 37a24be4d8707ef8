"""What was seen over time: the effect and its confidence sequence, for the chart and for the record."""

from collections.abc import Iterable
from math import isfinite
from typing import NamedTuple

from assay_api import Experiment
from assay_api.experiment import Analysis

MOST = 3600  # looks that are kept of one Experiment


class Look(NamedTuple):
    """The primary metric of one candidate at one moment."""

    at: float  # unix seconds
    units: int
    estimate: float
    low: float
    high: float
    percent: float  # of all units on candidates


class Trail:
    """Looks by Experiment; a look that says what the one before said is not kept."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._looks: dict[str, list[Look]] = {}

    def add(self, experiment: Experiment, at: float) -> None:
        """Remember what the Experiment says now, if it says something new."""
        primary = leading(experiment.status.analysis)
        if primary is None or primary.estimate is None or primary.low is None or primary.high is None:
            return
        look = Look(
            at, primary.units, primary.estimate, primary.low, primary.high, candidates_percent(experiment)
        )
        looks = self._looks.setdefault(experiment.metadata.uid, [])
        if all(map(isfinite, look)) and (not looks or look[1:] != looks[-1][1:]):
            looks.append(look)
            del looks[:-MOST]

    def of(self, experiment: Experiment) -> tuple[Look, ...]:
        """Return the looks at this Experiment, oldest first."""
        return tuple(self._looks.get(experiment.metadata.uid, ()))


def leading(analysis: Iterable[Analysis]) -> Analysis | None:
    """Return the primary metric's line, or the first guardrail's where there is no primary."""
    lines = tuple(analysis)
    primary = (line for line in lines if line.role == "Primary")
    return next(primary, next((line for line in lines if line.role == "Guardrail"), None))


def candidates_percent(experiment: Experiment) -> float:
    """Return the share of all units that is on candidates now, in percent."""
    control = experiment.spec.control.name
    return sum(slots.end - slots.start for slots in experiment.status.table if slots.arm != control) / 100
