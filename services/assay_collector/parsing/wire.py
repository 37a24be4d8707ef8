"""The records of the HTTP API, as their senders write them; past this module there are only frozen types."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from assay_assign import decode
from assay_collector.attribution.metric import Aggregate, Missing, Source, Type

LARGEST = 1e15
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Word = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^\s/\x00]+$")]


def _exact(value: object) -> object:
    """JSON's numbers are only whole within 64 bits; another spelling of an id would be another id."""
    if isinstance(value, float):
        raise ValueError("must be a string, or a whole number of 64 bits")  # noqa: TRY004 - pydantic's way
    return value


Identity = Annotated[str, BeforeValidator(_exact), StringConstraints(min_length=1, max_length=512)]
RawUnit = Annotated[str, BeforeValidator(_exact), StringConstraints(min_length=1, max_length=16_384)]
Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]


def _sane(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if moment < EPOCH:
        raise ValueError("must not be before 1970")
    return moment


Moment = Annotated[datetime, AfterValidator(_sane)]


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


class Record(BaseModel):
    """A record that somebody sends."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Outcome(Record):
    """A fact about a unit that came later: converted, paid 12.50, the label was 1."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    model: Annotated[
        str, StringConstraints(min_length=1, max_length=507, pattern=r"^[^\s/\x00]+(/[^\s/\x00]+)?$")
    ] = Field(description="namespace/name of the Model, or its name with `namespace` beside it")
    namespace: Word | None = None
    unit: RawUnit = Field(description="the value of the unit header, as it was sent with the request")
    metric: Word
    value: StrictBool | Finite
    time: Moment | None = Field(
        default=None, description="when it happened: ISO 8601 or Unix time; default now"
    )
    id: Identity = Field(description="idempotency id: the same id for the same unit and metric counts once")

    @model_validator(mode="after")
    def _named_fully(self) -> Self:
        if ("/" in self.model) is (self.namespace is not None):
            raise ValueError("name the Model once: model as namespace/name, or model and namespace")
        return self

    @property
    def ref(self) -> tuple[str, str]:
        """Namespace and name of the Model."""
        if self.namespace is not None:
            return self.namespace, self.model
        namespace, _, name = self.model.partition("/")
        return namespace, name


class Exposure(Record):
    """One request that was answered under an arm, as the shipper sends it."""

    model_config = ConfigDict(extra="ignore")

    id: Identity
    ts: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False, description="Unix time, seconds")]
    experiment: Word
    epoch: Annotated[int, Field(ge=0, lt=2**31)] = 0
    unit: Hex
    arm: Word
    served: str | None = None
    version: str | None = None
    status: Annotated[int, Field(ge=0, le=999)]
    duration_us: Annotated[int, Field(ge=0)] = 0
    attempts: Annotated[int, Field(ge=0)] = 1
    audit: Literal["ok", "mismatch"] = "ok"
    failed: StrictBool | None = Field(
        default=None, description="whether the answer is an error; without it, status and attempts tell"
    )


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda match: match[1].upper(), name)


class Metric(Record):
    """A metric of an Experiment."""

    model_config = ConfigDict(alias_generator=_camel)

    name: Word
    type: Type
    source: Source = Source.EVENTS
    window_seconds: Annotated[float, Field(gt=0, le=1e9)] | None = None
    missing: Missing = Missing.ZERO
    aggregate: Aggregate = Aggregate.ANY
    slower_than_us: Annotated[int, Field(gt=0)] | None = None
    cap: Finite | None = None
    lag_seconds: Annotated[float, Field(ge=0, le=1e9)] | None = Field(
        default=None, description="sums of units that are at least this old are kept beside those of all"
    )
    learns_lag: StrictBool = Field(
        default=False, description="a shorter lag is learned from how late outcomes arrive"
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        gateway = self.source is Source.GATEWAY
        if gateway and self.type is not Type.PROPORTION:
            raise ValueError("a Gateway metric is a Proportion: units with at least one bad answer")
        if gateway and (self.missing is not Missing.ZERO or self.window_seconds is not None):
            raise ValueError("a Gateway metric counts every exposed unit at once: no window, missing Zero")
        if not gateway and self.slower_than_us is not None:
            raise ValueError("slowerThanUs belongs to Gateway metrics")
        unbounded = not gateway and self.missing is Missing.ZERO and self.window_seconds is None
        if self.lag_seconds is not None and not unbounded:
            raise ValueError("lagSeconds belongs to Events metrics without a window, missing Zero")
        if self.learns_lag and self.lag_seconds is None:
            raise ValueError("learnsLag needs lagSeconds, which holds until a shorter one is known")
        if self.type is Type.PROPORTION and self.cap is not None:
            raise ValueError("cap belongs to metrics of type Mean")
        return self


class Experiment(Record):
    """What the operator says of an Experiment."""

    model_config = ConfigDict(alias_generator=_camel)

    namespace: Word
    name: Word
    model: Word
    arms: Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]
    table: str = ""
    epoch: Annotated[int, Field(ge=0, lt=2**31)] = 0
    metrics: Annotated[tuple[Metric, ...], Field(max_length=100)] = ()
    started_at: Moment | None = None
    closed: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for what, names in (("arms", self.arms), ("metrics", tuple(metric.name for metric in self.metrics))):
            if len(set(names)) < len(names):
                raise ValueError(f"{what} must have different names, not {', '.join(names)}")
        if strangers := {interval.arm for interval in decode(self.table)} - set(self.arms):
            raise ValueError(f"table names {', '.join(sorted(strangers))}, which is no arm")
        return self
