"""Got against expected, by the tolerances that a case carries."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite, log10
from typing import Any, NamedTuple

DEFAULT_RELATIVE = 1e-6
Tolerance = Mapping[str, float]
Path = tuple[str, ...]


class Failure(NamedTuple):
    """One value that is not as expected."""

    key: str
    expected: Any
    got: Any
    tolerance: str


def failures(expected: Mapping[str, Any], got: Mapping[str, Any], tolerance: Tolerance) -> list[Failure]:
    """Return every expected key whose answer is absent or beyond its tolerance."""
    return [
        failure
        for key, value in expected.items()
        for failure in _compare((key,), value, got.get(key), tolerance)
    ]


def _compare(path: Path, expected: Any, got: Any, tolerance: Tolerance) -> Iterator[Failure]:
    key = ".".join(path)
    if got is None and expected is not None:
        yield Failure(key, expected, "nothing", "an answer")
    elif isinstance(expected, Mapping):
        for name, value in expected.items():
            inner = got.get(name) if isinstance(got, Mapping) else None
            yield from _compare((*path, name), value, inner, tolerance)
    elif isinstance(expected, list):
        yield from _compare_list(path, expected, got, tolerance)
    elif isinstance(expected, bool | str) or expected is None:
        if type(got) is not type(expected) or got != expected:
            yield Failure(key, expected, got, "equality")
    else:
        allowed, words = _allowed(path, expected, tolerance)
        if not _near(expected, got, allowed):
            yield Failure(key, expected, got, words)


def _compare_list(path: Path, expected: list[Any], got: Any, tolerance: Tolerance) -> Iterator[Failure]:
    if not isinstance(got, list | tuple) or len(got) != len(expected):
        yield Failure(".".join(path), expected, got, f"a list of {len(expected)}")
        return
    for i, (value, answer) in enumerate(zip(expected, got, strict=True)):
        yield from _compare((*path, str(i)), value, answer, tolerance)


class _Allowed(NamedTuple):
    distance: float
    log10: float | None


def _allowed(path: Path, expected: float, tolerance: Tolerance) -> tuple[_Allowed, str]:
    name = next(part for part in reversed(path) if not part.isdigit())
    if "log10p" in tolerance and name.lower().startswith("p"):
        return _Allowed(0.0, tolerance["log10p"]), f"log10 {tolerance['log10p']}"
    absolute = tolerance.get(f"{name}_abs", tolerance.get("value_abs", tolerance.get("abs", 0.0)))
    relative = tolerance.get(f"{name}_rel", tolerance.get("rel", 0.0))
    if not any(key in tolerance for key in (f"{name}_abs", f"{name}_rel", "value_abs", "abs", "rel")):
        relative = DEFAULT_RELATIVE
    if name.startswith("published"):
        absolute = max(absolute, _half_digit(expected))
    distance = max(absolute, relative * abs(expected))
    return _Allowed(distance, None), f"abs {absolute:g}, rel {relative:g}"


def _half_digit(printed: float) -> float:
    """Return half of a printed number's last digit."""
    exponent = Decimal(repr(printed)).as_tuple().exponent
    return 0.5 * 10.0 ** int(exponent)


def _near(expected: float, got: Any, allowed: _Allowed) -> bool:
    if isinstance(got, bool) or not isinstance(got, int | float) or not isfinite(got):
        return False
    if allowed.log10 is not None:
        return got > 0 and abs(log10(got) - log10(expected)) <= allowed.log10
    return abs(got - expected) <= allowed.distance
