"""Durations as people write them in YAML: `90s`, `10m`, `1h30m`, `7d`."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from assay_api.rule import Rule

_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"([0-9]+)(ms|s|m|h|d)")
_FORM = "^([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,8}s)?([0-9]{1,10}ms)?$"  # no sum can overflow


def seconds(text: str) -> float:
    """Return how many seconds `text` says; the schema has checked its form.

    >>> seconds("1h30m"), seconds("200ms")
    (5400.0, 0.2)
    """
    return milliseconds(text) / 1000


def milliseconds(text: str) -> int:
    """Return the same in whole milliseconds.

    >>> milliseconds("1d1ms")
    86400001
    """
    return sum(int(number) * round(_UNIT[unit] * 1000) for number, unit in _PART.findall(text))


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


def cel(path: str) -> str:
    """Return CEL for the milliseconds of the duration at `path`; CEL's own durations know no days.

    >>> cel("self.a").startswith("((self.a.contains('d') ? int(")
    True
    """
    days = f"{path}.contains('d') ? int({path}.substring(0, {path}.indexOf('d'))) * 86400000 : 0"
    rest = f"duration({path}.substring({path}.indexOf('d') + 1) + '0s').getMilliseconds()"
    return f"(({days}) + {rest})"


def _between(least: str, most: str) -> Rule:
    low, high = milliseconds(least), milliseconds(most)
    return Rule(
        f"{low} <= {cel('self')} && {cel('self')} <= {high}",
        f"must be from {least} to {most}",
        lambda text: low <= milliseconds(text) <= high,
    )


Duration = Annotated[str, Field(min_length=2, max_length=16, pattern=_FORM)]
Pause = Annotated[Duration, _between("0s", "90d")]
Period = Annotated[Duration, _between("1s", "90d")]
Window = Annotated[Duration, _between("1ms", "90d")]
Timeout = Annotated[Duration, _between("1ms", "1h")]
Damping = Annotated[Duration, _between("0s", "1h")]
Interval = Annotated[Duration, _between("1s", "1h")]
Age = Annotated[Duration, _between("1s", "1d")]
Polling = Annotated[Duration, _between("5s", "1d")]
