"""Reference cases against this package: `python -m assay_stats.conformance FILE...`.

A case names a family, its input and the values expected of it. `evaluate` is the one entry point, so that a
new case of a known family needs no new code; an unknown family, an input that cannot be read, a field of it
that is not used or an expected key that is not answered is a failure, never a skip.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assay_stats.conformance import comparisons, designs, sequences, tables

Answers = dict[str, Any]
Evaluator = Callable[[Mapping[str, Any], frozenset[str]], Answers]

FAMILIES: Mapping[str, Evaluator] = {
    **comparisons.FAMILIES,
    **designs.FAMILIES,
    **sequences.FAMILIES,
    **tables.FAMILIES,
}


class UnknownFamilyError(ValueError):
    """No function answers for the family."""


def evaluate(family: str, given: Mapping[str, Any], wanted: Iterable[str] = ()) -> Answers:
    """Answer a case.

    Args:
        family: Its family.
        given: Its input.
        wanted: The keys of its expected values. Some families give the same name to two conventions (`p` of
            a proportion is pooled beside `z`, Welch's beside `ci`); the keys wanted together tell which.

    Raises:
        UnknownFamilyError: Nobody answers for it.
    """
    if family not in FAMILIES:
        raise UnknownFamilyError(f"family: {family!r} is none of {', '.join(sorted(FAMILIES))}")
    return FAMILIES[family](given, frozenset(wanted))
