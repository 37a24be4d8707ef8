"""JSON that a tenant's pod wrote: whatever it is, reading it ends in a value or in a ValueError."""

import json
from typing import Any


def loads(text: str | bytes) -> Any:
    """Return the value.

    Raises:
        ValueError: It is no JSON, or nested more deeply than it can be read.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def loads_object(text: str | bytes) -> dict[str, object]:
    """Return the object; an empty one if it is none."""
    try:
        value = loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
