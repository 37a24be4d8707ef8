"""The `training` block of a Model: where the data is, how it is split, and what is searched."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.resource import Duration, Resource, rules

Column = Annotated[str, Field(min_length=1, max_length=256)]
Columns = Annotated[tuple[Column, ...], Field(max_length=500)]
Task = Literal["Classification", "Regression"]
Algorithm = Literal["LogisticRegression", "LinearRegression", "HistGradientBoosting", "RandomForest"]
MetricName = Literal[
    "rocAuc", "prAuc", "logLoss", "brier", "accuracy", "balancedAccuracy", "precision", "recall", "f1", "mcc",
    "rmse", "mae", "mape", "r2", "medianAbsoluteError",
]  # fmt: skip

TARGET_IS_NO_KEY = "target and key must be different columns"
A_BAR = "a gate needs at least one of min, max or notWorseThanChampionBy"


class Data(Resource):
    """Where the rows are, and which columns have a part of their own."""

    model_config = ConfigDict(json_schema_extra=rules({"self.target != self.key": TARGET_IS_NO_KEY}))

    uri: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            description="An fsspec URL of csv or parquet files: file, http, https; globs.",
        ),
    ]
    target: Annotated[Column, Field(description="The column to predict.")]
    key: Annotated[Column, Field(description="The column that names a row; its hash decides the split.")]
    format: Annotated[
        Literal["CSV", "Parquet"] | None, Field(description="Default: by the file's ending.")
    ] = None
    positive: Annotated[
        str | None,
        Field(max_length=256, description="The label that counts as positive. Default: the last in order."),
    ] = None
    provenance: Annotated[
        str | None, Field(max_length=1024, description="Where the data comes from, in words.")
    ] = None

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.target == self.key:
            raise ValueError(TARGET_IS_NO_KEY)
        return self


class Split(Resource):
    """How rows are parted: by a salted hash of the key, so that a row never changes sides."""

    test: Annotated[
        float, Field(ge=0.05, le=0.5, description="Share of the rows that is only looked at once.")
    ] = 0.2
    folds: Annotated[int, Field(ge=2, le=20, description="Folds of the cross-validation.")] = 5
    sample: Annotated[float, Field(gt=0, le=1, description="Share of the rows that is used at all.")] = 1.0
    salt: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="Default: namespace and name of the Model."),
    ] = None


class Features(Resource):
    """The columns a version may see, by kind; absent: all others, kinds inferred and pinned."""

    numeric: Columns = ()
    categorical: Columns = ()
    text: Columns = ()


class Chooser(Resource):
    """The metric that chooses between trials."""

    name: MetricName


class Tuning(Resource):
    """The search for hyperparameters."""

    sampler: Literal["TPE", "Random"] = "TPE"
    trials: Annotated[int, Field(ge=1, le=10_000)] = 10
    timeout: Annotated[Duration | None, Field(description="No trial starts after this.")] = None
    max_failed_trials: Annotated[int, Field(ge=0, le=10_000)] = 0
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


class Training(Resource):
    """How a version is made from data."""

    data: Data
    split: Split = Split()
    features: Features | None = None
    algorithms: Annotated[
        tuple[Algorithm, ...] | None,
        Field(
            min_length=1, max_length=10, description="Searched together. Default: a linear one and boosting."
        ),
    ] = None
    metric: Annotated[Chooser | None, Field(description="Default: rocAuc, logLoss or rmse, by the task.")] = (
        None
    )
    tuning: Tuning = Tuning()


class Gate(Resource):
    """An offline bar that a version must pass before it gets traffic."""

    model_config = ConfigDict(
        json_schema_extra=rules({"has(self.min) || has(self.max) || has(self.notWorseThanChampionBy)": A_BAR})
    )

    metric: MetricName
    min: float | None = None
    max: float | None = None
    not_worse_than_champion_by: Annotated[
        float | None,
        Field(ge=0, description="At most this much worse than the champion on the same test rows."),
    ] = None

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.min is None and self.max is None and self.not_worse_than_champion_by is None:
            raise ValueError(A_BAR)
        return self
