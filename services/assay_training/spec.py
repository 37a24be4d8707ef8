"""The edge: one job as the operator writes it, in the camelCase of the Model resource.

Unknown fields are refused, so a typing error never trains a model. Inside the package only these frozen types
travel.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

Task = Literal["Classification", "Regression"]
AlgorithmName = Literal[
    "LogisticRegression",
    "LinearRegression",
    "HistGradientBoosting",
    "RandomForest",
    "KNeighbors",
    "NaiveBayes",
    "SVM",
]
Scalar = bool | int | float | str

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")


def _duration(value: object) -> object:
    """Durations are written as in Kubernetes: `1h30m`, `45s`."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(rf"(?:{_PART.pattern})+", value):
        raise ValueError(f"{value!r} is not a duration such as 30m, 1h30m or 45s")
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value)))


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration must be above zero")
    return value


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    if repeated := sorted({value for value in values if values.count(value) > 1}):
        raise ValueError(f"named more than once: {', '.join(repeated)}")
    return values


def _compiles(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_positive)]
Column = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Columns = Annotated[tuple[Column, ...], AfterValidator(_distinct)]


class Spec(BaseModel):
    """What all parts share: frozen, camelCase outside, unknown fields refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class ColumnRules(Spec):
    """What must hold of one column; nulls break no rule but `maxNullFraction`."""

    type: Literal["number", "integer", "boolean", "text"] | None = None
    min: float | None = None
    max: float | None = None
    allowed: Annotated[tuple[Scalar, ...], Field(max_length=1000)] = ()
    pattern: Annotated[str, StringConstraints(max_length=200), AfterValidator(_compiles)] | None = None
    unique: bool = False
    max_null_fraction: float = Field(default=1.0, ge=0, le=1)


class Contract(Spec):
    """What must hold of the data before anything is trained on it."""

    columns: dict[Column, ColumnRules] = {}
    min_rows: int = Field(default=0, ge=0)
    max_rows: int | None = Field(default=None, ge=1)


class Data(Spec):
    """Where the rows are, and which columns have a part of their own."""

    uri: Annotated[str, StringConstraints(min_length=1)]
    target: Column
    key: Column
    format: Literal["CSV", "Parquet"] | None = None
    positive: str | None = None
    contract: Contract | None = None
    provenance: Annotated[str, StringConstraints(max_length=1024)] | None = None

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.target == self.key:
            raise ValueError(f"data.target and data.key are both {self.key!r}")
        return self


class Split(Spec):
    """How rows are parted: by a salted hash of their key, or of `group`, so that its rows stay together."""

    test: float = Field(default=0.2, ge=0.05, le=0.5)
    folds: int = Field(default=5, ge=2, le=20)
    sample: float = Field(default=1.0, gt=0, le=1)
    group: Column | None = None
    salt: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None


class Features(Spec):
    """The columns a version may see, by kind."""

    numeric: Columns = ()
    categorical: Columns = ()
    text: Columns = ()
    date: Columns = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        _distinct(self.names)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order that clients see."""
        return self.numeric + self.categorical + self.text + self.date


class Chooser(Spec):
    """The metric that chooses between trials."""

    name: str


class Threshold(Spec):
    """The probability from which on a binary model says yes, chosen on rows that it was not fitted on."""

    prefer: Literal["recall", "precision"]
    at_least: float = Field(gt=0, le=1)


class SearchRange(Spec):
    """Values to search: choices, or numbers from low to high, whole if both are."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: Annotated[tuple[Scalar, ...], Field(max_length=100)] = ()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        ends = self.low is not None and self.high is not None
        if ends == bool(self.choices) or (self.low is None) != (self.high is None):
            raise ValueError("a range has either choices, or low and high")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and not (self.low or 0) > 0:
            raise ValueError("a log range starts above 0")
        return self


class Estimator(Spec):
    """Any estimator with scikit-learn's interface, by its import path."""

    import_: str = Field(alias="import", pattern=r"^(sklearn|xgboost|lightgbm)(\.[A-Za-z_]\w*)+$")
    params: dict[str, Scalar | None] = {}
    style: Literal["linear", "forest", "boosting"] = "linear"


class Tuning(Spec):
    """The search for hyperparameters."""

    sampler: Literal["TPE", "Random", "Grid"] = "TPE"
    trials: int = Field(default=10, ge=1, le=10_000)
    timeout: Duration | None = None
    parallelism: int = Field(default=1, ge=1, le=64)
    pruner: Literal["Median", "None"] = "Median"
    patience: int | None = Field(default=None, ge=1)
    space: dict[AlgorithmName, dict[str, SearchRange]] = {}
    max_failed_trials: int = Field(default=0, ge=0, le=10_000)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)


class Training(Spec):
    """The `training` block of a Model.

    `format` is what is served: Auto means ONNX if it answers as the original does, else skops.
    """

    data: Data
    split: Split = Split()
    features: Features | None = None
    algorithms: (
        Annotated[tuple[AlgorithmName, ...], Field(min_length=1, max_length=10), AfterValidator(_distinct)]
        | None
    ) = None
    estimator: Estimator | None = None
    params: dict[AlgorithmName, dict[str, Scalar | None]] = {}
    class_weight: Literal["Balanced"] | None = None
    monotonic: dict[Column, Literal["Increasing", "Decreasing"]] = {}
    metric: Chooser | None = None
    tuning: Tuning = Tuning()
    threshold: Threshold | None = None
    format: Literal["Auto", "ONNX", "Skops"] = "Auto"

    @model_validator(mode="after")
    def _features_apart(self) -> Self:
        for name, column in (("target", self.data.target), ("key", self.data.key)):
            if self.features and column in self.features.names:
                raise ValueError(f"features name {column!r}, which is data.{name}")
        return self


class Gate(Spec):
    """One offline bar; every rule that is given must hold.

    With `slice`, the metric must pass for each value of that column. With `confidence`, the champion rule
    wants that much certainty that the version is not worse by more than the margin.
    """

    metric: str
    min: float | None = None
    max: float | None = None
    not_worse_than_champion_by: float | None = Field(default=None, ge=0)
    confidence: float | None = Field(default=None, ge=0.5, lt=1)
    slice: Column | None = None

    @model_validator(mode="after")
    def _rules_fit(self) -> Self:
        if self.slice and self.not_worse_than_champion_by is not None:
            raise ValueError("slice goes with min and max only")
        if self.confidence is not None and self.not_worse_than_champion_by is None:
            raise ValueError("confidence goes with notWorseThanChampionBy only")
        return self

    @model_validator(mode="after")
    def _has_a_rule(self) -> Self:
        if self.min is None and self.max is None and self.not_worse_than_champion_by is None:
            raise ValueError(f"the gate on {self.metric!r} needs min, max or notWorseThanChampionBy")
        return self


class Champion(Spec):
    """The artifact of the version that serves now."""

    uri: str
    digest: str


class Job(Spec):
    """Everything one run needs."""

    model: str
    namespace: str
    version: str
    number: int = Field(ge=1)
    store: Annotated[str, StringConstraints(min_length=1)]
    path: Annotated[str, StringConstraints(min_length=1)]
    task: Task
    training: Training
    gates: Annotated[tuple[Gate, ...], Field(max_length=50)] = ()
    champion: Champion | None = None

    @property
    def salt(self) -> str:
        """Versions of a Model share their split, so that they can be compared on the same test rows."""
        return self.training.split.salt or f"{self.namespace}/{self.model}"

    @property
    def destination(self) -> str:
        """The folder of this version's artifact."""
        return f"{self.store.rstrip('/')}/{self.path.strip('/')}"


def problems(errors: list[Any]) -> str:
    """Pydantic's findings as one line that names each field as the user wrote it."""
    lines = []
    for error in errors:
        field = ".".join(str(part) for part in error["loc"]) or "the job"
        lines.append(
            f"{field}: {error['msg'].removeprefix('Value error, ')} (got {str(error['input'])[:80]!r})"
        )
    return "; ".join(lines)
