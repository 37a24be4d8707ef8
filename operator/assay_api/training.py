"""The `training` block of a Model: where the data is, how it is split, and what is searched."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.data import FREE, Column, Columns, Data
from assay_api.resource import Resource, rules
from assay_api.tuning import Tuning
from assay_api.worker import Worker

Task = Literal["Classification", "Regression"]
Algorithm = Literal[
    "LogisticRegression", "LinearRegression", "HistGradientBoosting", "RandomForest",
    "KNeighbors", "NaiveBayes", "SVM",
]  # fmt: skip
MetricName = Literal[
    "rocAuc", "prAuc", "logLoss", "brier", "accuracy", "balancedAccuracy", "precision", "recall", "f1", "f2",
    "mcc", "calibrationError", "rmse", "mae", "mape", "r2", "medianAbsoluteError", "pinball10", "pinball90",
    "coverage", "decidedAccuracy",
]  # fmt: skip
GateName = Literal[MetricName, "latencyMs", "artifactBytes"]
Params = Annotated[dict[str, Any], Field(json_schema_extra=FREE)]

TIMED = "split.testFrom goes with data.time only"
A_BAND = "low must be below high"
SLICED = "slice goes with min and max only"
SURE = "confidence goes with notWorseThanChampionBy only"
A_BAR = "a gate needs at least one of min, max or notWorseThanChampionBy"


class Split(Resource):
    """How rows are parted: by a salted hash of the key, so that a row never changes sides."""

    test: Annotated[
        float, Field(ge=0.05, le=0.5, description="Share of the rows that is only looked at once.")
    ] = 0.2
    folds: Annotated[int, Field(ge=2, le=20, description="Folds of the cross-validation.")] = 5
    sample: Annotated[float, Field(gt=0, le=1, description="Share of the rows that is used at all.")] = 1.0
    max_rows: Annotated[
        int | None, Field(ge=50, description="At most so many rows are used: those of the smallest hash.")
    ] = None
    group: Annotated[Column | None, Field(description="Rows of a group stay together.")] = None
    test_from: Annotated[
        str | None,
        Field(
            max_length=32,
            pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$",
            description="Rows of this time and later are the test rows. Default: the newest share.",
        ),
    ] = None
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

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order that clients see."""
        return self.numeric + self.categorical + self.text + self.date


class Chooser(Resource):
    """The metric that chooses between trials."""

    name: MetricName


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


class Neutral(Resource):
    """A band of probabilities of the positive class in which the model says that it does not know."""

    model_config = ConfigDict(json_schema_extra=rules({"self.low < self.high": A_BAND}))

    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]


class Reframing(Resource):
    """A regression that is learned as a distribution over bins of the target, and answered as its mean."""

    bins: Annotated[int, Field(ge=2, le=100, description="Of equal frequency in the training rows.")] = 10


class Training(Resource):
    """How a version is made from data."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {"!has(self.split) || !has(self.split.testFrom) || has(self.data.time)": TIMED}
        )
    )

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
    neutral: Annotated[Neutral | None, Field(description="Two classes only.")] = None
    reframing: Annotated[Reframing | None, Field(description="Regression only.")] = None
    worker: Worker = Worker()
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
