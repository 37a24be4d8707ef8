"""For how long a version has had no ready pod."""

from datetime import datetime

from assay_api import ModelVersion
from assay_api.condition import find


def unavailable_for(version: ModelVersion, now: datetime) -> float:
    """Return the seconds since its condition Available became False; 0 if it is not."""
    available = find(version.status.conditions, "Available")
    if available is None or available.status != "False":
        return 0.0
    return max((now - available.last_transition_time).total_seconds(), 0.0)
