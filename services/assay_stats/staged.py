"""Group sequential decisions on live data: a maximum size, a few looks, alpha spent once.

The schedule is frozen; what was spent goes into the state that the caller keeps. One may wake every second,
but alpha is spent only when the units pass the next scheduled look. A late look is taken at its
true information; one beyond the maximum (over-run) spends all that is left.
"""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from assay_stats.difference import Arm
from assay_stats.evidence import Decided
from assay_stats.fixed import Question, pooled_z, unpooled_z
from assay_stats.groupsequential import Spending, boundaries
from assay_stats.rule import Direction, Record

MOST_LOOKS = 20


@dataclass(frozen=True)
class Schedule(Record):
    """A frozen group sequential plan.

    Attributes:
        max_units: Units of both arms at which the last look is due.
        looks: Number of equally spaced looks, 1 to 20; 1 is a fixed horizon.
        alpha: Two-sided level.
        spending: OBrienFleming or Pocock.
        direction: Which way is better.
        binary: Whether the metric is a proportion (pooled z) or not (unpooled z).
    """

    max_units: float
    looks: int = 5
    alpha: float = 0.05
    spending: str = "OBrienFleming"
    direction: Direction = "Increase"
    binary: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be planned."""
        if not 1 <= self.looks <= MOST_LOOKS or not self.max_units > 0:
            raise ValueError(f"looks: {self.looks} of 1 to {MOST_LOOKS}, max_units: {self.max_units} above 0")
        if self.spending not in {"OBrienFleming", "Pocock"}:
            raise ValueError(f"spending: {self.spending!r} is neither OBrienFleming nor Pocock")


class Stage(NamedTuple):
    """What a schedule has led to; JSON-able, kept by the caller.

    Attributes:
        fractions: Information at the looks taken.
        z: Their boundaries.
        spent: Alpha spent so far.
        decided: The decision, once there is one; it stays.
        over: No look is left.
    """

    fractions: tuple[float, ...] = ()
    z: tuple[float, ...] = ()
    spent: float = 0.0
    decided: Decided | None = None
    over: bool = False


class Look(NamedTuple):
    """One waking up.

    Attributes:
        stage: Hand it back at the next.
        taken: Whether this was a look; between looks nothing may be read from the numbers.
        estimate: m_T - m_C.
        se: Its standard error.
        statistic: z.
        low: estimate - boundary * se, for display.
        high: estimate + boundary * se.
        next_units: Units at which the next look is due; None after the last.
    """

    stage: Stage
    taken: bool
    estimate: float
    se: float
    statistic: float
    low: float
    high: float
    next_units: float | None


def look(schedule: Schedule, control: Arm, treatment: Arm, stage: Stage | None = None) -> Look:
    """Look at two arms, if a look is due."""
    stage = stage or Stage()
    fraction = (control.n + treatment.n) / schedule.max_units
    due = _due(schedule, stage)
    if due is None or fraction < due or not control.n or not treatment.n:
        return Look(stage, False, 0.0, 0.0, 0.0, -inf, inf, due and due * schedule.max_units)  # noqa: FBT003
    fractions = (*stage.fractions, max(fraction, due))
    bounds = boundaries(fractions, schedule.alpha, spending=_spending(schedule))
    test = (pooled_z if schedule.binary else unpooled_z)(control, treatment, Question(schedule.alpha))
    crossed = test.se > 0 and abs(test.statistic) >= bounds.z[-1]
    reached = Stage(
        fractions, bounds.z, bounds.spent[-1], _side(schedule, test.statistic) if crossed else None,
        over=crossed or fraction >= 1,
    )  # fmt: skip
    reach = bounds.z[-1] * test.se if test.se else inf
    following = _due(schedule, reached)
    return Look(
        reached, True, test.estimate, test.se, test.statistic,  # noqa: FBT003 - a field, as everywhere
        test.estimate - reach, test.estimate + reach,
        following and following * schedule.max_units,
    )  # fmt: skip


def _due(schedule: Schedule, stage: Stage) -> float | None:
    """Return the information at which the next look is due; late looks swallow those they passed."""
    if stage.over:
        return None
    last = stage.fractions[-1] if stage.fractions else 0.0
    return next((k / schedule.looks for k in range(1, schedule.looks + 1) if k / schedule.looks > last), None)


def _spending(schedule: Schedule) -> Spending:
    return Spending("Pocock") if schedule.spending == "Pocock" else Spending("OBrienFleming")


def _side(schedule: Schedule, statistic: float) -> Decided:
    return "better" if (statistic > 0) == (schedule.direction == "Increase") else "worse"
