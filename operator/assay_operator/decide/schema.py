"""What versions take: the columns of a row, and what one version asks for that another one did not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple

from pydantic import Field, ValidationError

from assay_api.resource import Observed

_NUMBERS = frozenset({"number", "boolean"})  # true and false are 1 and 0
ACCEPTED: Mapping[str, frozenset[str]] = {  # JSON values that a predictor takes for a column of a type
    "number": _NUMBERS,
    "boolean": _NUMBERS,
    "date": _NUMBERS | {"string"},
    "category": _NUMBERS | {"string"},
    "text": frozenset({"string"}),
}
MOST_NAMED = 8  # differences in a message
LONGEST_NAME = 63  # characters of a column in a message


class Column(NamedTuple):
    """What a version wants of a column: its type, and whether it may be missing."""

    type: str
    nullable: bool


@dataclass(frozen=True)
class Schema:
    """The columns of a version by name; of one that is `pending` they are not known yet."""

    columns: Mapping[str, Column] = field(default_factory=dict)
    pending: bool = False


PENDING = Schema(pending=True)


class _Feature(Observed):
    name: str
    type: str
    nullable: bool = True


class _Answer(Observed):
    features: Annotated[tuple[_Feature, ...], Field(min_length=1, max_length=10_000)]


def read(answer: object) -> Schema | None:
    """Return what a predictor says at `/schema`; None if that is no schema."""
    try:
        found = _Answer.model_validate(answer)
    except ValidationError:
        return None
    return Schema({each.name: Column(each.type, each.nullable) for each in found.features})


def demands(champion: Schema, candidate: Schema) -> str:
    """Return what callers of the champion would have to change for the candidate; empty: nothing."""
    found = list(_demands(champion.columns, candidate.columns))
    more = f", and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return ", ".join(found[:MOST_NAMED]) + more


def _demands(before: Mapping[str, Column], after: Mapping[str, Column]) -> Iterator[str]:
    for name, wanted in after.items():
        short, old = name[:LONGEST_NAME], before.get(name)
        if old is None:
            if not wanted.nullable:
                yield f"{short} ({wanted.type[:LONGEST_NAME]}) is new and required"
        elif not _takes(wanted.type, old.type):
            yield f"{short} is {wanted.type[:LONGEST_NAME]} instead of {old.type[:LONGEST_NAME]}"
        elif old.nullable and not wanted.nullable:
            yield f"{short} may no longer be null"


def _takes(wanted: str, old: str) -> bool:
    """Whether whatever went as one type goes as another; a category takes numbers, a number no words."""
    if wanted == old:
        return True
    return wanted in ACCEPTED and old in ACCEPTED and ACCEPTED[old] <= ACCEPTED[wanted]
