"""The `training` block of a Model: where the data is, how it is split, and what is searched."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.resource import Duration, Resource, rules

Column = Annotated[str, Field(min_length=1, max_length=256)]
Columns = Annotated[tuple[Column, ...], Field(max_length=500)]
Task = Literal["Classification", "Regression"]
Algorithm = Literal[
    "LogisticRegression", "LinearRegression", "HistGradientBoosting", "RandomForest",
    "KNeighbors", "NaiveBayes", "SVM",
]  # fmt: skip
MetricName = Literal[
    "rocAuc", "prAuc", "logLoss", "brier", "accuracy", "balancedAccuracy", "precision", "recall", "f1", "f2",
    "mcc", "calibrationError", "rmse", "mae", "mape", "r2", "medianAbsoluteError", "pinball10", "pinball90",
]  # fmt: skip
GateName = Literal[MetricName, "latencyMs", "artifactBytes"]
_FREE = {"x-kubernetes-preserve-unknown-fields": True}
Scalar = Annotated[Any, Field(json_schema_extra=_FREE, description="Text, number or boolean.")]
Params = Annotated[dict[str, Any], Field(json_schema_extra=_FREE)]

TARGET_IS_NO_KEY = "target and key must be different columns"
A_RANGE = "a range has either choices, or both low and high"
SLICED = "slice goes with min and max only"
SURE = "confidence goes with notWorseThanChampionBy only"
A_BAR = "a gate needs at least one of min, max or notWorseThanChampionBy"


class ColumnRules(Resource):
    """What must hold of one column; nulls break no rule but `maxNullFraction`."""

    type: Literal["number", "integer", "boolean", "text"] | None = None
    min: float | None = None
    max: float | None = None
    allowed: Annotated[tuple[Scalar, ...], Field(max_length=1000)] = ()
    pattern: Annotated[str | None, Field(max_length=200, description="A regular expression.")] = None
    unique: bool = False
    max_null_fraction: Annotated[float, Field(ge=0, le=1)] = 1.0


class Contract(Resource):
    """What must hold of the data before anything is trained on it."""

    columns: Annotated[dict[str, ColumnRules], Field(max_length=500)] = {}
    min_rows: Annotated[int, Field(ge=0)] = 0
    max_rows: Annotated[int | None, Field(ge=1)] = None


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
    date: Columns = ()


class Chooser(Resource):
    """The metric that chooses between trials."""

    name: MetricName


class SearchRange(Resource):
    """Values to search: choices, or numbers from low to high, whole if both are."""

    model_config = ConfigDict(json_schema_extra=rules({"has(self.low) == has(self.high)": A_RANGE}))

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: Annotated[tuple[Scalar, ...] | None, Field(max_length=100)] = None


class Estimator(Resource):
    """Any estimator with scikit-learn's interface, by its import path."""

    import_: Annotated[
        str,
        Field(
            alias="import", max_length=256, pattern=r"^(sklearn|xgboost|lightgbm)(\.[A-Za-z_][A-Za-z0-9_]*)+$"
        ),
    ]
    params: Params = {}
    style: Annotated[
        Literal["linear", "forest", "boosting"],
        Field(description="Which preparation of the columns suits it."),
    ] = "linear"


class Threshold(Resource):
    """The probability from which on a binary model says yes, chosen on rows that it was not fitted on."""

    prefer: Literal["recall", "precision"]
    at_least: Annotated[float, Field(gt=0, le=1)]


class Tuning(Resource):
    """The search for hyperparameters."""

    sampler: Literal["TPE", "Random", "Grid"] = "TPE"
    trials: Annotated[int, Field(ge=1, le=10_000)] = 10
    timeout: Annotated[Duration | None, Field(description="No trial starts after this.")] = None
    parallelism: Annotated[
        int, Field(ge=1, le=64, description="Workers, as processes of the training pod.")
    ] = 1
    pruner: Annotated[
        Literal["Median", "None"], Field(description="Gives up on trials that fall behind.")
    ] = "Median"
    patience: Annotated[
        int | None, Field(ge=1, description="Trials without a better one before it stops.")
    ] = None
    space: Annotated[
        dict[str, dict[str, SearchRange]], Field(max_length=10, description="Ranges to search, by algorithm.")
    ] = {}
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
    estimator: Annotated[
        Estimator | None, Field(description="In place of algorithms; nothing is searched.")
    ] = None
    params: Annotated[dict[str, Params], Field(max_length=10, description="Fixed, by algorithm.")] = {}
    class_weight: Literal["Balanced"] | None = None
    monotonic: Annotated[dict[str, Literal["Increasing", "Decreasing"]], Field(max_length=500)] = {}
    metric: Annotated[Chooser | None, Field(description="Default: rocAuc, logLoss or rmse, by the task.")] = (
        None
    )
    tuning: Tuning = Tuning()
    threshold: Threshold | None = None
    format: Annotated[
        Literal["Auto", "ONNX", "Skops"],
        Field(description="What is served. Auto: ONNX if it answers as the original does, else skops."),
    ] = "Auto"


class Gate(Resource):
    """An offline bar that a version must pass before it gets traffic."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "has(self.min) || has(self.max) || has(self.notWorseThanChampionBy)": A_BAR,
                "!has(self.slice) || !has(self.notWorseThanChampionBy)": SLICED,
                "!has(self.confidence) || has(self.notWorseThanChampionBy)": SURE,
            }
        )
    )

    metric: GateName
    min: float | None = None
    max: float | None = None
    not_worse_than_champion_by: Annotated[
        float | None,
        Field(ge=0, description="At most this much worse than the champion on the same test rows."),
    ] = None

    confidence: Annotated[
        float | None, Field(ge=0.5, lt=1, description="How sure that must be. Absent: the estimate decides.")
    ] = None
    slice: Annotated[Column | None, Field(description="The bar holds for each value of this column.")] = None

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.min is None and self.max is None and self.not_worse_than_champion_by is None:
            raise ValueError(A_BAR)
        return self
