"""The edge: one job as the operator writes it, in the camelCase and the very types of the Model resource.

Unknown fields are refused, so a typing error never trains a model. What a schema cannot see is checked here
before anything is read. Inside the package only these frozen types travel.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from assay_api.data import ColumnRules, Contract, Data
from assay_api.model import Artifact, Evaluation, Image
from assay_api.resource import Resource
from assay_api.training import Estimator, Features, Gate, Split, Task, Threshold, Training
from assay_api.tuning import SearchRange, Tuning

__all__ = [
    "Artifact", "Champion", "ColumnRules", "Contract", "Data", "Estimator", "Features", "Gate", "Image",
    "Job", "Judging", "SearchRange", "Serves", "Split", "Stored", "Task", "Threshold", "Training", "Tuning",
    "problems",
]  # fmt: skip


class Stored(Resource):
    """The artifact of another version."""

    uri: str
    digest: str
    allow_pickle: bool = False


class Serves(Resource):
    """Another version that is an image, where it serves now."""

    service: str
    path: str
    columns: tuple[str, ...] | None = None


Champion = Stored | Serves


class Judging(Resource):
    """Everything that is needed to judge an artifact or an image that was made elsewhere."""

    model: str
    namespace: str
    version: str
    number: Annotated[int, Field(ge=1)]
    store: str
    path: str
    task: Task
    artifact: Artifact | None = None
    image: Image | None = None
    evaluation: Evaluation
    gates: Annotated[tuple[Gate, ...], Field(max_length=50)] = ()
    champion: Champion | None = None
    before: Stored | None = None

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        if (self.artifact is None) == (self.image is None):
            raise ValueError("exactly one of artifact or image is judged")
        if apart := sorted(set(self.evaluation.data.apart) & set(self.evaluation.columns or ())):
            raise ValueError(f"evaluation.columns names {apart[0]!r}, which an image must not see")
        return self


class Job(Resource):
    """Everything one run needs.

    `champion` is compared with; `before` is the version before this one, whose contract is held and whose
    card is compared with.
    """

    model: str
    namespace: str
    version: str
    number: Annotated[int, Field(ge=1)]
    store: Annotated[str, Field(min_length=1)]
    path: Annotated[str, Field(min_length=1)]
    task: Task
    training: Training
    gates: Annotated[tuple[Gate, ...], Field(max_length=50)] = ()
    champion: Champion | None = None
    before: Stored | None = None

    @property
    def salt(self) -> str:
        """Versions of a Model share their split, so that they can be compared on the same test rows."""
        return self.training.split.salt or f"{self.namespace}/{self.model}"

    @property
    def destination(self) -> str:
        """The folder of this version's artifact."""
        return f"{self.store.rstrip('/')}/{self.path.strip('/')}"

    @model_validator(mode="after")
    def _what_a_schema_cannot_see(self) -> Self:
        if found := list(_contradictions(self.training)):
            raise ValueError("; ".join(found))
        return self


def _contradictions(training: Training) -> Iterator[str]:
    data, wanted = training.data, training.features
    names = wanted.names if wanted else ()
    for name in _twice(names):
        yield f"training.features names {name!r} more than once"
    for name in sorted(set(data.apart) & set(names)):
        yield f"training.features names {name!r}, which is data.{_part(data, name)}"
    for name in _twice(training.algorithms or ()):
        yield f"training.algorithms names {name} more than once"
    yield from _times(data, training.split)
    yield from _patterns(data)
    for algorithm, space in training.tuning.space.items():
        for param, among in space.items():
            if wrong := _wrong(among):
                yield f"tuning.space.{algorithm}.{param}: {wrong}"


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _times(data: Data, split: Split) -> Iterator[str]:
    if data.time in (data.key, data.target):
        yield f"data.time is {data.time!r}, which is data.{_part(data, str(data.time))}"
    if split.test_from and not data.time:
        yield "split.testFrom goes with data.time only"
    if split.test_from and not _is_time(split.test_from):
        yield f"split.testFrom {split.test_from!r} is no date"


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _part(data: Data, name: str) -> str:
    return {data.time: "time", data.key: "key", data.target: "target"}[name]


def _patterns(data: Data) -> Iterator[str]:
    for name, rules in (data.contract.columns if data.contract else {}).items():
        try:
            re.compile(rules.pattern or "")
        except re.error as error:
            yield f"data.contract.columns.{name}.pattern is no regular expression: {error}"


def _wrong(among: SearchRange) -> str:
    if among.low is None or among.high is None:
        complete = among.low is among.high is None and among.choices
        return "" if complete else "a range has either choices, or both low and high"
    if among.choices:
        return "a range has either choices, or both low and high"
    if not among.low < among.high:
        return f"low {among.low:g} is not below high {among.high:g}"
    return "a log range starts above 0" if among.log and among.low <= 0 else ""


def problems(errors: list[Any]) -> str:
    """Pydantic's findings as one line that names each field as the user wrote it."""
    return "; ".join(map(_problem, errors))


def _problem(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"]) or "the job"
    message = error["msg"].removeprefix("Value error, ")
    got = "" if error["type"] == "value_error" else f" (got {str(error['input'])[:80]!r})"
    return f"{field}: {message}{got}"
