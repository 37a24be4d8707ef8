"""Records that are just as they should be, read in one go: most of what ever comes.

Whatever this module does not take, it leaves to `wire`, which takes a little more and says what is wrong. So
it may refuse too much, and must never take what `wire` would refuse, or read it in another way.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from pydantic import TypeAdapter, ValidationError

from assay_collector.parsing import wire

Text = Annotated[str, Meta(min_length=1, max_length=512)]
Word = Annotated[str, Meta(min_length=1, max_length=253)]
Unit = Annotated[str, Meta(min_length=1, max_length=16_384)]
Number = Annotated[float, Meta(ge=-wire.LARGEST, le=wire.LARGEST)]
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Natural = Annotated[int, Meta(ge=0)]
SmallNatural = Annotated[int, Meta(ge=0, lt=2**31)]

_MOMENT: TypeAdapter[datetime] = TypeAdapter(wire.Moment)
_WORD: TypeAdapter[str] = TypeAdapter(wire.Word)


class Outcome(Struct, forbid_unknown_fields=True, gc=False):
    """See `wire.Outcome`."""

    model: str
    unit: Unit | Whole
    metric: str
    value: bool | Number
    id: Text | Whole
    namespace: str | None = None
    time: str | float | None = None


class Exposure(Struct, gc=False):
    """See `wire.Exposure`."""

    id: Text
    ts: Annotated[float, Meta(ge=0, le=1e11)]
    experiment: str
    unit: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    arm: str
    status: Annotated[int, Meta(ge=0, le=999)]
    epoch: SmallNatural = 0
    served: str | None = None
    version: str | None = None
    duration_us: Natural = 0
    attempts: Natural = 1
    audit: Literal["ok", "mismatch"] = "ok"
    failed: bool | None = None


T = TypeVar("T", bound=Struct)


class Reader(Generic[T]):
    """Reads an array or NDJSON of one kind of record."""

    def __init__(self, kind: type[T]) -> None:
        """Prepare."""
        self._array = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._line = msgspec.json.Decoder(kind)

    def __call__(self, body: bytes) -> list[T] | None:
        """Return the records, or None if any of them is not as it should be."""
        try:
            return self._array.decode(body) if body[:1] == b"[" else self._line.decode_lines(body)
        except (msgspec.MsgspecError, UnicodeError):
            return None


outcomes = Reader(Outcome)
exposures = Reader(Exposure)


@lru_cache(maxsize=4096)
def kind(model: str, namespace: str | None, metric: str) -> wire.Outcome | None:
    """Return what tells the Model and the metric, if they are names; the same few come again and again."""
    try:
        return wire.Outcome(model=model, namespace=namespace, metric=metric, unit="-", value=0.0, id="-")
    except ValidationError:
        return None


@lru_cache(maxsize=4096)
def is_word(text: str) -> bool:
    """Tell whether this may be the name of an arm or the uid of an Experiment."""
    try:
        return bool(_WORD.validate_python(text))
    except ValidationError:
        return False


def microseconds(time: str | float) -> int | None:
    """Return a time of any spelling in microseconds, or None if it is none."""
    try:
        return wire.microseconds(_MOMENT.validate_python(time))
    except ValidationError:
        return None
