"""What was seen over time: the effect and its confidence sequence, for the chart and for the record."""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from assay_api import Experiment
from assay_api.experiment_status import Analysis

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
        if primary is None or primary.estimate is None:
            return
        remember(self._looks.setdefault(experiment.metadata.uid, []), look_at(experiment, primary, at))

    def of(self, experiment: Experiment) -> tuple[Look, ...]:
        """Return the looks at this Experiment, oldest first."""
        return tuple(self._looks.get(experiment.metadata.uid, ()))


def look_at(experiment: Experiment, line: Analysis, at: float) -> Look:
    """Return what a line of the analysis says; bounds that it doesn't know yet are infinite."""
    estimate = 0.0 if line.estimate is None else line.estimate
    low, high = (-inf if line.low is None else line.low), (inf if line.high is None else line.high)
    return Look(at, line.units, estimate, low, high, candidates_percent(experiment))


def remember(looks: list[Look], look: Look) -> None:
    """Add a look, unless it says what the one before says."""
    if not looks or look[1:] != looks[-1][1:]:
        looks.append(look)
        del looks[:-MOST]


def leading(analysis: Iterable[Analysis]) -> Analysis | None:
    """Return the primary metric's line, or the first guardrail's where there is no primary."""
    lines = tuple(analysis)
    primary = (line for line in lines if line.role == "Primary")
    return next(primary, next((line for line in lines if line.role == "Guardrail"), None))


def candidates_percent(experiment: Experiment) -> float:
    """Return the share of all units that is on candidates now, in percent."""
    control = experiment.spec.control.name
    return (
        sum(slots.end - slots.start for slots in experiment.status.state.table if slots.arm != control) / 100
    )
