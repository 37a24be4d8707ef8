"""What the Model wants to have counted."""

from typing import NamedTuple


class CaptureConfig(NamedTuple):
    """Which rows and columns are counted for drift.

    Attributes:
        sample: Share of the rows that are counted, above 0 and at most 1.
        exclude: Features of which nothing is counted.
    """

    sample: float = 1.0
    exclude: tuple[str, ...] = ()
