"""Bytes to typed records: JSON objects, arrays and NDJSON, with errors that name the record and the field."""

from collections.abc import Callable, Sequence
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, TypeVar, cast

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from assay_collector.attribution import unit
from assay_collector.attribution.experiment import Plan, Progress
from assay_collector.attribution.metric import Metric
from assay_collector.batch import Declared, Exposures, Outcomes, Reported
from assay_collector.parsing import fast_path, wire
from assay_collector.problem import Problem

MOST_RECORDS = 20_000
MILLION = 1_000_000
DIGEST = 16

T = TypeVar("T", bound=BaseModel)
S = TypeVar("S")
R = TypeVar("R")

_BRANCHES = ("bool", "constrained-float")  # of a union, which nobody outside need know

_OUTCOMES = TypeAdapter(list[wire.Outcome])
_EXPOSURES = TypeAdapter(list[wire.Exposure])
_EXPERIMENT = TypeAdapter(wire.Experiment)


def outcomes(body: bytes, key: bytes, now: int) -> Outcomes:
    """Read outcomes; units leave as pseudonyms under `key`.

    Raises:
        Problem: 400 for what is no JSON, 413 for too many records, 422 for a record that is not right.
    """
    if (
        rows := _quickly(fast_path.outcomes(body), lambda record: _plain_outcome(record, key, now))
    ) is not None:
        return Outcomes(rows)
    return Outcomes([_reported(record, key, now) for record in validated(_OUTCOMES, records(body))])


def exposures(body: bytes) -> Exposures:
    """Read exposures; raises as `outcomes` does."""
    if (rows := _quickly(fast_path.exposures(body), _plain_exposure)) is not None:
        return Exposures(rows)
    return Exposures([(r.experiment, _exposure(r)) for r in validated(_EXPOSURES, records(body))])


def declared(uid: str, body: bytes) -> Declared:
    """Read the operator's word on an Experiment; raises as `outcomes` does."""
    try:
        declaration = _EXPERIMENT.validate_python(parsed(body, "the body"))
    except ValidationError as error:
        raise refused(error) from error
    started = None if declaration.started_at is None else wire.microseconds(declaration.started_at)
    metrics = tuple(_metric(metric) for metric in declaration.metrics)
    plan = Plan(
        declaration.namespace, declaration.model, declaration.name, declaration.arms, metrics, started
    )
    return Declared(uid, plan, Progress(declaration.table, declaration.epoch, declaration.closed))


def _quickly(records: Sequence[S] | None, read: Callable[[S], R | None]) -> list[R] | None:
    """Return what the records say; None if it takes a more careful look to tell."""
    if records is None or not records:
        return None
    _few(len(records))
    rows = [read(record) for record in records]
    return None if None in rows else cast("list[R]", rows)


def _plain_outcome(record: fast_path.Outcome, key: bytes, now: int) -> Reported | None:
    kind = fast_path.kind(record.model, record.namespace, record.metric)
    at = now if record.time is None else fast_path.microseconds(record.time)
    if kind is None or at is None:
        return None
    return Reported(
        kind.ref,
        blake2b(str(record.unit).encode(), key=key, digest_size=DIGEST).digest(),
        record.metric,
        blake2b(str(record.id).encode(), digest_size=DIGEST).digest(),
        at,
        float(record.value),
    )


def _plain_exposure(record: fast_path.Exposure) -> tuple[str, unit.Exposure] | None:
    if fast_path.is_word(record.experiment) and fast_path.is_word(record.arm):
        return record.experiment, _exposure(record)
    return None


def _reported(record: wire.Outcome, key: bytes, now: int) -> Reported:
    return Reported(
        record.ref,
        blake2b(record.unit.encode(), key=key, digest_size=DIGEST).digest(),
        record.metric,
        blake2b(record.id.encode(), digest_size=DIGEST).digest(),
        now if record.time is None else wire.microseconds(record.time),
        float(record.value),
    )


def _exposure(record: wire.Exposure | fast_path.Exposure) -> unit.Exposure:
    return unit.Exposure(
        blake2b(record.id.encode(), digest_size=DIGEST).digest(),
        round(record.ts * MILLION),
        bytes.fromhex(record.unit),
        record.arm,
        record.served,
        record.epoch,
        record.status,
        record.duration_us,
        record.attempts,
        record.audit == "ok",
        record.failed,
    )


def _metric(metric: wire.Metric) -> Metric:
    window = None if metric.window_seconds is None else round(metric.window_seconds * MILLION)
    return Metric(
        metric.name,
        metric.type,
        metric.source,
        window,
        metric.missing,
        metric.aggregate,
        metric.slower_than_us,
        metric.cap,
        None if metric.lag_seconds is None else round(metric.lag_seconds * MILLION),
        metric.learns_lag,
    )


def records(body: bytes) -> Sequence[Any]:
    """Return the records of an array, of NDJSON, or the one there is.

    Raises:
        Problem: 400 for what is no JSON, 413 for too many.
    """
    try:
        whole = orjson.loads(body)
    except orjson.JSONDecodeError:
        lines = [line for line in body.split(b"\n") if line.strip()]
        _few(len(lines))
        return [parsed(line, f"record {number}") for number, line in enumerate(lines)]
    found = whole if isinstance(whole, list) else [whole]
    _few(len(found))
    return found


def _few(records: int) -> None:
    if records > MOST_RECORDS:
        detail = f"{records} records in one request; at most {MOST_RECORDS}: send several"
        raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


def parsed(text: bytes, what: str) -> Any:
    """Return what JSON says.

    Raises:
        Problem: 400; `what` it should have been.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"{what} is not JSON: {error}") from error


def validated(adapter: TypeAdapter[list[T]], found: Sequence[Any]) -> list[T]:
    """Return typed records.

    Raises:
        Problem: 422; it names records and fields.
    """
    try:
        return adapter.validate_python(found)
    except ValidationError as error:
        raise refused(error) from error


def refused(error: ValidationError) -> Problem:
    """Name records and fields, never values: a unit's id may be anybody's e-mail address."""
    errors = [
        _explained(each["loc"], each["msg"]) for each in error.errors(include_input=False, include_url=False)
    ]
    where = "".join(f"{name} {errors[0][name]}: " for name in ("record", "field") if name in errors[0])
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, where + str(errors[0]["message"]), errors)


def _explained(place: tuple[int | str, ...], message: str) -> dict[str, Any]:
    record = {"record": place[0]} if place and isinstance(place[0], int) else {}
    field = ".".join(str(part) for part in place[len(record) :] if part not in _BRANCHES)
    return record | ({"field": field} if field else {}) | {"message": message.removeprefix("Value error, ")}
