"""The rules that the Bento of these tests answers by."""

import math
from typing import Any


def leaves(row: dict[str, Any]) -> float:
    """Return how likely this customer leaves."""
    abroad = row["international_plan"] == "yes"
    score = 0.02 * (row["total_day_minutes"] - 220) + 0.6 * (row["number_customer_service_calls"] - 3)
    return 1 / (1 + math.exp(-(score + 2 * abroad - 1)))
