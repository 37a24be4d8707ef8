"""From desired conditions to those of a status."""

from collections.abc import Iterable
from datetime import datetime

from assay_api import Condition, merged
from assay_operator.decide.desired_condition import DesiredCondition, dated, repeats


def with_conditions(
    known: tuple[Condition, ...], desired: Iterable[DesiredCondition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the conditions, the desired in place of those of equal type; of several the last counts."""
    newest = {condition.type: condition for condition in desired}
    dates = {condition.type: condition for condition in known}
    news = (c for c in newest.values() if not repeats(c, dates.get(c.type), generation))
    return merged(known, *(dated(condition, generation, now) for condition in news))
