"""The `training` block of a Model: where the data is, how it is split, and what is searched."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from assay_api.data import MOST_NAMES, Column, ColumnKey, Columns, Data, Param, keys_fit
from assay_api.resource import MOST, Number, Resource, Whole
from assay_api.rule import Rule, bounds_in_order
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

MOST_FEATURES = 500
FEATURE_BYTES = 12_288
SHARES = (
    "rocAuc", "prAuc", "accuracy", "balancedAccuracy", "precision", "recall", "f1", "f2", "brier",
    "calibrationError", "coverage", "decidedAccuracy",
)  # fmt: skip
UNBOUNDED_BELOW = ("mcc", "r2")

TIMED = Rule(
    "!has(self.split) || !has(self.split.testFrom) || has(self.data.time)",
    "split.testFrom goes with data.time only",
    lambda training: training.split.test_from is None or training.data.time is not None,
    ".split.testFrom",
)
EVEN = 0.5  # the threshold where none is chosen
IN_THE_BAND = Rule(
    "!has(self.neutral) || has(self.threshold) || (self.neutral.low <= 0.5 && self.neutral.high >= 0.5)",
    "neutral must contain the decision threshold: 0.5, or the one that threshold chooses in it",
    lambda it: it.neutral is None or it.threshold is not None or it.neutral.low <= EVEN <= it.neutral.high,
    ".neutral",
)
A_BAND = Rule("self.low < self.high", "low must be below high", lambda band: band.low < band.high, ".low")
FEW_FEATURES = Rule(
    f"size(self.numeric) + size(self.categorical) + size(self.text) + size(self.date) <= {MOST_FEATURES}",
    f"features must name at most {MOST_FEATURES} columns in all",
    lambda features: len(features.names) <= MOST_FEATURES,
)
FEATURES_FIT = Rule(
    " + ".join(
        f"self.{kind}.map(c, size(bytes(c))).sum()" for kind in ("numeric", "categorical", "text", "date")
    )
    + f" <= {FEATURE_BYTES}",
    f"the names of features must have at most {FEATURE_BYTES} bytes in all",
    lambda features: sum(len(name.encode()) for name in features.names) <= FEATURE_BYTES,
)
A_BAR = Rule(
    "has(self.min) || has(self.max) || has(self.notWorseThanChampionBy)",
    "a gate needs at least one of min, max or notWorseThanChampionBy",
    lambda gate: not (gate.min is None and gate.max is None and gate.not_worse_than_champion_by is None),
)
SLICED = Rule(
    "!has(self.slice) || !has(self.notWorseThanChampionBy)",
    "slice goes with min and max only",
    lambda gate: gate.slice is None or gate.not_worse_than_champion_by is None,
    ".slice",
)
SURE = Rule(
    "!has(self.confidence) || has(self.notWorseThanChampionBy)",
    "confidence goes with notWorseThanChampionBy only",
    lambda gate: gate.confidence is None or gate.not_worse_than_champion_by is not None,
    ".confidence",
)
PASSABLE = bounds_in_order("no version passes the gate")
UP_TO_ONE = Rule(
    f"!(self.metric in {[*SHARES, *UNBOUNDED_BELOW]})"
    " || ((has(self.min) ? self.min : 0.0) <= 1.0 && (has(self.max) ? self.max : 0.0) <= 1.0)",
    "min and max of this metric must be at most 1, its largest value; say 0.8 for 80 percent",
    lambda gate: gate.metric not in (*SHARES, *UNBOUNDED_BELOW) or max(gate.min or 0, gate.max or 0) <= 1,
)
FROM_ZERO = Rule(
    f"self.metric in {list(UNBOUNDED_BELOW)}"
    " || ((has(self.min) ? self.min : 0.0) >= 0.0 && (has(self.max) ? self.max : 0.0) >= 0.0)",
    "min and max of this metric must be at least 0, its smallest value",
    lambda gate: gate.metric in UNBOUNDED_BELOW or min(gate.min or 0, gate.max or 0) >= 0,
)
FROM_MINUS_ONE = Rule(
    "self.metric != 'mcc'"
    " || ((has(self.min) ? self.min : 0.0) >= -1.0 && (has(self.max) ? self.max : 0.0) >= -1.0)",
    "min and max of mcc must be at least -1, its smallest value",
    lambda gate: gate.metric != "mcc" or min(gate.min or 0, gate.max or 0) >= -1,
)


class Split(Resource):
    """How rows are parted: by a salted hash of the key, so that a row never changes sides."""

    test: Annotated[
        Number, Field(ge=0.05, le=0.5, description="Test fraction: rows that are evaluated on only once.")
    ] = 0.2
    folds: Annotated[Whole, Field(ge=2, le=20, description="Folds of the cross-validation.")] = 5
    sample: Annotated[Number, Field(gt=0, le=1, description="Fraction of the rows that is used at all.")] = (
        1.0
    )
    max_rows: Annotated[
        Whole | None,
        Field(ge=50, le=MOST, description="Most rows that are used: those of the smallest hash."),
    ] = None
    group: Annotated[Column | None, Field(description="Column whose equal values stay together.")] = None
    test_from: Annotated[
        str | None,
        Field(
            max_length=32,
            pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+)?)?$",
            description="Rows of this time and later are the test rows. Default: the newest fraction.",
        ),
    ] = None
    salt: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=64,
            pattern="^[!-~]+$",
            description="Salt of the hash. Default: namespace and name of the Model.",
        ),
    ] = None


class Features(Resource):
    """The columns a version may see, by kind; absent: all others, kinds inferred and pinned."""

    RULES: ClassVar = (FEW_FEATURES, FEATURES_FIT)

    numeric: Annotated[Columns, Field(description="Numeric columns.")] = ()
    categorical: Annotated[Columns, Field(description="Categorical columns.")] = ()
    text: Annotated[Columns, Field(description="Free-text columns.")] = ()
    date: Annotated[Columns, Field(description="Date columns.")] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, in the order that clients see."""
        return self.numeric + self.categorical + self.text + self.date


class Chooser(Resource):
    """The metric that chooses between trials."""

    name: Annotated[MetricName, Field(description="Name of the metric.")]


class Estimator(Resource):
    """Any estimator with scikit-learn's interface, by its import path."""

    import_: Annotated[
        str,
        Field(
            alias="import",
            max_length=256,
            pattern=r"^(sklearn|xgboost|lightgbm)(\.[A-Za-z_][A-Za-z0-9_]*)+$",
            description="Import path of the class.",
        ),
    ]
    params: Annotated[
        dict[str, Param], Field(max_length=30, description="Arguments of the constructor.")
    ] = {}
    style: Annotated[
        Literal["linear", "forest", "boosting"],
        Field(description="Preprocessing of the columns that suits the estimator."),
    ] = "linear"


class Threshold(Resource):
    """The decision threshold of a binary classifier, chosen on rows that it was not fitted on."""

    prefer: Annotated[Literal["recall", "precision"], Field(description="Metric that must reach atLeast.")]
    at_least: Annotated[Number, Field(gt=0, le=1, description="Value that the metric must reach.")]


class Neutral(Resource):
    """A band of probabilities of the positive class in which the model abstains."""

    RULES: ClassVar = (A_BAND,)

    low: Annotated[Number, Field(ge=0, le=1, description="Lower end of the band.")]
    high: Annotated[Number, Field(ge=0, le=1, description="Upper end of the band.")]


class Reframing(Resource):
    """A regression that is learned as a distribution over bins of the target, and answered as its mean."""

    bins: Annotated[
        Whole, Field(ge=2, le=100, description="Bins of equal frequency in the training rows.")
    ] = 10


class Training(Resource):
    """How a version is made from data."""

    RULES: ClassVar = (TIMED, IN_THE_BAND)

    data: Annotated[Data, Field(description="Training data: its source, and the columns with a role.")]
    split: Annotated[Split, Field(description="Split into training and test rows.")] = Split()
    features: Annotated[
        Features | None,
        Field(description="Feature columns by kind. Absent: all other columns, kinds inferred and pinned."),
    ] = None
    algorithms: Annotated[
        tuple[Algorithm, ...] | None,
        Field(
            min_length=1,
            max_length=10,
            description="Algorithms to search together. Default: a linear one and boosting.",
        ),
    ] = None
    estimator: Annotated[
        Estimator | None,
        Field(description="Estimator to fit in place of algorithms; no hyperparameters are searched."),
    ] = None
    params: Annotated[
        dict[str, Annotated[dict[str, Param], Field(max_length=10)]],
        Field(max_length=7, description="Fixed hyperparameters, by algorithm."),
    ] = {}
    class_weight: Annotated[
        Literal["Balanced"] | None,
        Field(description="Balanced: weights classes inversely to their frequency."),
    ] = None
    monotonic: Annotated[
        dict[ColumnKey, Literal["Increasing", "Decreasing"]],
        Field(max_length=100, description="Monotonicity constraints, by column."),
        keys_fit(MOST_NAMES, "monotonic"),
    ] = {}
    metric: Annotated[
        Chooser | None,
        Field(description="Objective of the search. Default: rocAuc, logLoss or rmse, by the task."),
    ] = None
    tuning: Annotated[Tuning, Field(description="Hyperparameter search.")] = Tuning()
    threshold: Annotated[
        Threshold | None, Field(description="Decision threshold of a binary classifier. Default: 0.5.")
    ] = None
    neutral: Annotated[
        Neutral | None,
        Field(
            description="Band of probabilities around the threshold in which a binary classifier abstains."
        ),
    ] = None
    reframing: Annotated[
        Reframing | None, Field(description="Regression as classification over bins of the target.")
    ] = None
    worker: Annotated[Worker, Field(description="Scheduling and compute resources of the training pods.")] = (
        Worker()
    )
    format: Annotated[
        Literal["Auto", "ONNX", "Skops"],
        Field(
            description="Format of the artifact. Auto: ONNX if it answers as the original does, else skops."
        ),
    ] = "Auto"


class Gate(Resource):
    """An offline bar that a version must pass before it gets traffic."""

    RULES: ClassVar = (A_BAR, SLICED, SURE, PASSABLE, UP_TO_ONE, FROM_ZERO, FROM_MINUS_ONE)

    metric: Annotated[GateName, Field(description="Metric on the test rows.")]
    min: Annotated[Number | None, Field(description="Smallest value that passes.")] = None
    max: Annotated[Number | None, Field(description="Largest value that passes.")] = None
    not_worse_than_champion_by: Annotated[
        Number | None,
        Field(ge=0, description="Non-inferiority margin against the champion on the same test rows."),
    ] = None

    confidence: Annotated[
        Number | None,
        Field(
            ge=0.5,
            lt=1,
            description="Confidence level of the non-inferiority. Absent: the point estimate decides.",
        ),
    ] = None
    slice: Annotated[
        Column | None, Field(description="Column for each of whose values the bar must hold.")
    ] = None


Gates = Annotated[tuple[Gate, ...], Field(max_length=20)]
