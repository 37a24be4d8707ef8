"""Counts on the cells of versions' profiles, as predictors send them: additive, windowed by time.

The collector adds lists of whole numbers; what a cell stands for is the profile's business.
"""

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, model_validator

from assay_collector.batch import Counted
from assay_collector.parsing import wire
from assay_collector.parsing.records import MILLION, parsed, refused
from assay_collector.problem import Problem

MOST_COLUMNS = 2_000
MOST_CELLS = 200_000  # of one batch

Count = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
Column = Annotated[list[Count], Field(max_length=1_000)]
Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False, description="Unix time, seconds")]


class Profile(wire.Record):
    """Counts of some rows of one version, from one process; `sequence` grows by one with each batch."""

    namespace: wire.Word
    model: wire.Word
    version: wire.Word
    profile: Digest
    source: Name
    sequence: Annotated[int, Field(ge=1, lt=2**53)]
    since: Annotated[Moment, Field(alias="from")]
    until: Moment
    rows: Annotated[int, Field(ge=1, le=10**12)]
    features: Annotated[dict[str, Column], Field(max_length=MOST_COLUMNS)]
    predictions: Annotated[dict[str, Column], Field(max_length=10)]

    @model_validator(mode="after")
    def _few(self) -> "Profile":
        columns = (*self.features.values(), *self.predictions.values())
        if (cells := sum(map(len, columns))) > MOST_CELLS:
            raise ValueError(f"{cells} cells, at most {MOST_CELLS}")
        return self


def read(body: bytes, namespace: str) -> Counted:
    """Read a batch of somebody who may speak for one namespace.

    Raises:
        Problem: 400 for what is no JSON, 422 for a batch that is not right, or of another namespace.
    """
    try:
        batch = Profile.model_validate(parsed(body, "the body"))
    except ValidationError as error:
        raise refused(error) from error
    if batch.namespace != namespace:
        detail = f"namespace is {batch.namespace!r}; this token is good for {namespace!r} only"
        raise Problem(HTTPStatus.FORBIDDEN, detail)
    owner = (batch.namespace, batch.model, batch.version, batch.profile)
    columns: dict[str, Any] = {"features": batch.features, "predictions": batch.predictions}
    return Counted(owner, batch.source, batch.sequence, round(batch.until * MILLION), batch.rows, columns)
