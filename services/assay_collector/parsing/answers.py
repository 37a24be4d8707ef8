"""Counts of the gateways' answers by version and second, as shippers send them, and questions about them."""

from typing import Annotated, Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from assay_assign import SLOWER_THAN
from assay_collector.batch import Answered, Second, SumQuery
from assay_collector.parsing import wire
from assay_collector.parsing.records import parsed, records, refused, validated

MAX_QUERIES = 1_000

Count = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False, description="Unix time, seconds")]


class AnswerCounts(wire.Record):
    """What one version answered in one second; counts of several senders add up."""

    namespace: wire.Word
    model: wire.Word
    version: wire.Word
    second: Annotated[int, Field(ge=0, le=10**11, strict=True, description="Unix time, whole seconds")]
    requests: Annotated[Count, Field(ge=1)]
    errors: Count
    slow: Annotated[
        list[Count],
        Field(
            min_length=len(SLOWER_THAN),
            max_length=len(SLOWER_THAN),
            description=f"how many were slower than {', '.join(SLOWER_THAN)}",
        ),
    ]

    @model_validator(mode="after")
    def _parts(self) -> Self:
        if max(self.errors, *self.slow) > self.requests:
            raise ValueError(f"errors and slow must not exceed requests, {self.requests}")
        return self


class AnswerQuestion(wire.Record):
    """Which version, and which seconds: those that begin at `since` or later, and end by `until`."""

    namespace: wire.Word
    model: wire.Word
    version: wire.Word
    since: Moment
    until: Moment = 1e11


_COUNTS = TypeAdapter(list[AnswerCounts])
_QUESTIONS = TypeAdapter(Annotated[list[AnswerQuestion], Field(max_length=MAX_QUERIES)])


def read(body: bytes) -> Answered:
    """Read counts.

    Raises:
        Problem: 400 for what is no JSON, 413 for too many records, 422 for a record that is not right.
    """
    found = validated(_COUNTS, records(body))
    return Answered(
        [
            Second((each.namespace, each.model, each.version), each.second,
                   (each.requests, each.errors, *each.slow))
            for each in found
        ]
    )  # fmt: skip


def queries(body: bytes) -> list[SumQuery]:
    """Read questions; raises as `read` does."""
    try:
        found = _QUESTIONS.validate_python(parsed(body, "the body"))
    except ValidationError as error:
        raise refused(error) from error
    return [SumQuery((q.namespace, q.model, q.version), q.since, q.until) for q in found]
