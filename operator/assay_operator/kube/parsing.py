"""From bodies of our own kinds to typed values; what does not parse is salvaged as far as it can be."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from assay_api import Experiment, Metadata, Model, ModelSpec, ModelStatus, ModelVersion
from assay_api.serving import Serving
from assay_operator.kinds import ApiType
from assay_operator.kube import Body

MAX_REPAIRS = 20
Parsed = Model | ModelVersion | Experiment
T = TypeVar("T", bound=BaseModel)


class Reading(NamedTuple):
    """A parsed body.

    Attributes:
        value: The value; None if nothing could be saved.
        fault: Why it does not parse as it is; empty if it does. `value` is then without what is wrong.
    """

    value: Parsed | None
    fault: str = ""


def parsed(kind: ApiType, body: Body) -> Reading:
    """Parse a body.

    The CRD's rules and the types refuse the same things, so a fault means that another release wrote the
    schema, or the status. Fields that are wrong are left out one after the other, until the rest parses.
    """
    try:
        return Reading(kind.model_validate(body))
    except ValidationError as error:
        return Reading(_salvaged(kind, body, error) or _bare(kind, body), _explained(error))


def _bare(kind: ApiType, body: Body) -> Parsed | None:
    """Return a Model of which nothing is known but who it is and what serves: enough for its route."""
    if kind is not Model:
        return None
    spec = body.get("spec")
    known = spec.get("serving") if isinstance(spec, Mapping) else None
    return Model.model_construct(
        metadata=Metadata.model_validate(body["metadata"]),
        spec=ModelSpec.model_construct(serving=_or_default(Serving, known)),
        status=_or_default(ModelStatus, body.get("status")),
    )


def _or_default(kind: type[T], value: object) -> T:
    try:
        return kind.model_validate(value or {})
    except ValidationError:
        return kind()


def with_spec_of(now: Parsed | None, good: Parsed | None, body: Body) -> Parsed | None:
    """Return the object as it is now, but with the spec of its last good reading, if there is one."""
    if good is None:
        return now
    metadata = now.metadata if now else Metadata.model_validate(body["metadata"])
    news = {"metadata": metadata} | ({"status": now.status} if now else {})
    return good.changed(**news)


def _salvaged(kind: ApiType, body: Body, error: ValidationError) -> Parsed | None:
    rest = deepcopy(dict(body))
    for _ in range(MAX_REPAIRS):
        if not _without(rest, error.errors()[0]["loc"]):
            return None
        try:
            return kind.model_validate(rest)
        except ValidationError as again:
            error = again
    return None


def _without(body: dict[str, Any], loc: tuple[int | str, ...]) -> bool:
    """Remove the deepest part of a location that is there; the spec itself is never removed."""
    path: list[tuple[Any, Any]] = []
    here: Any = body
    for step in loc:
        inside = isinstance(here, dict) and step in here
        if not inside and not (isinstance(here, list) and isinstance(step, int) and step < len(here)):
            break
        path.append((here, step))
        here = here[step]
    if len(path) < 2:  # noqa: PLR2004  the field is missing, or it is the spec or the metadata as a whole
        return False
    holder, step = path[-1]
    del holder[step]
    return True


def _explained(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    value = f", is {str(first['input'])[:60]!r}" if not isinstance(first["input"], dict) else ""
    return f"{where}: {first['msg']}{value}"[:1024]
