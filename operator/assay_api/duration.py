"""Durations as people write them in YAML: `90s`, `10m`, `1h30m`, `7d`."""

import re
from datetime import timedelta

_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")


def seconds(text: str) -> float:
    """Return how many seconds `text` says; the schema has checked its form.

    >>> seconds("1h30m"), seconds("200ms")
    (5400.0, 0.2)
    """
    return float(sum(int(number) * _UNIT[unit] for number, unit in _PART.findall(text)))


def span(text: str) -> timedelta:
    """Return the same as a time span."""
    return timedelta(seconds=seconds(text))


def spelled(time: float) -> str:
    """Return seconds as people say them.

    >>> spelled(5400), spelled(42.4), spelled(0)
    ('1h30m', '42s', '0s')
    """
    left, parts = round(time), []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_UNIT[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2]) or "0s"
