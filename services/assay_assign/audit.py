"""Whether an exposure stands under the arm that its unit's hash says: what every audit of a log asks."""

from functools import lru_cache

from assay_assign.hashing import slot
from assay_assign.slots import Interval, arm_at, decode

UNENROLLED = "unenrolled"


def assigned(salt: str, unit: str, table: str) -> str:
    """Return the arm of `unit` by a table as `encode` writes it, or `unenrolled`.

    Raises:
        ValueError: The text is no table.

    >>> assigned("exp-1", "user-42", "control:0-500,boosted:5000-9000")
    'boosted'
    """
    return arm_at(_table(table), slot(salt, unit)) or UNENROLLED


@lru_cache(maxsize=256)
def _table(text: str) -> tuple[Interval, ...]:
    return decode(text)
