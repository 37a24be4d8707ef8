"""The `Model` resource: a named endpoint with a champion and a history."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from assay_api.bake import Bake
from assay_api.data import Columns, Data
from assay_api.duration import Pause, cel, milliseconds
from assay_api.experiment import ExperimentTemplate
from assay_api.model_status import (
    Alert,
    ChampionRecord,
    FormerLevel,
    ModelState,
    ModelStatus,
    OrderResult,
)
from assay_api.resource import (
    LINE,
    NO_DOUBLE_DASH,
    Digest,
    Flag,
    Metadata,
    Observed,
    Resource,
    Whole,
    named,
)
from assay_api.rule import Rule
from assay_api.serving import Serving
from assay_api.training import Gates, Task, Training
from assay_api.worker import Worker

__all__ = [
    "Alert",
    "ChampionRecord",
    "FormerLevel",
    "Model",
    "ModelSpec",
    "ModelState",
    "ModelStatus",
    "OrderResult",
    "Source",
]

OF_REGRESSION = ("rmse", "mae", "mape", "r2", "medianAbsoluteError", "pinball10", "pinball90")
OF_ANY_TASK = ("latencyMs", "artifactBytes")

ONE_SOURCE = Rule(
    "[has(self.training), has(self.artifact), has(self.image)].filter(x, x).size() == 1",
    "say exactly one of training, artifact or image",
    lambda spec: [spec.training, spec.artifact, spec.image].count(None) == 2,  # noqa: PLR2004  of the three
)
GATES_NEED_ROWS = Rule(
    "has(self.training) ? !has(self.evaluation) : has(self.evaluation) || size(self.gates) == 0",
    "gates are measured by training, or on the rows of evaluation, which goes with artifact or image",
    lambda spec: spec.evaluation is None if spec.training else bool(spec.evaluation) or not spec.gates,
    ".evaluation",
)
NO_FILES = Rule(
    "!has(self.image) || self.gates.all(gate, gate.metric != 'artifactBytes')",
    "artifactBytes is the size of an artifact's files; an image has none to measure",
    lambda spec: spec.image is None or all(gate.metric != "artifactBytes" for gate in spec.gates),
    ".gates",
)
SENT_TO_IMAGES = Rule(
    "!has(self.evaluation) || !has(self.evaluation.columns) || has(self.image)",
    "evaluation.columns says what an image is sent; an artifact knows its own columns",
    lambda spec: spec.evaluation is None or spec.evaluation.columns is None or spec.image is not None,
    ".evaluation",
)
GATES_FIT_THE_TASK = Rule(
    f"self.gates.all(gate, gate.metric in {list(OF_ANY_TASK)}"
    f" || (gate.metric in {list(OF_REGRESSION)}) == (self.task == 'Regression'))",
    "gates must name metrics of the task; say task: Regression for rmse and the like",
    lambda spec: all(
        gate.metric in OF_ANY_TASK or (gate.metric in OF_REGRESSION) == (spec.task == "Regression")
        for gate in spec.gates
    ),
    ".gates",
)
TEMPLATE = Rule(
    "!has(self.strategy) || self.strategy != 'Experiment' || has(self.experiment)",
    "strategy Experiment needs the experiment to make; say rollout.experiment, or strategy Replace",
    lambda rollout: rollout.strategy != "Experiment" or rollout.experiment is not None,
    ".strategy",
)
_TIMEOUT = cel("self.serving.timeout")
_TEMPLATE_METRICS = "self.rollout.experiment.metrics"
SLOW_ANSWERS_CAN_COME = Rule(
    f"!has(self.rollout.experiment) || ({_TEMPLATE_METRICS}.guardrails.all(m, !has(m.slowerThan)"
    f" || {cel('m.slowerThan')} <= {_TIMEOUT})"
    f" && {_TEMPLATE_METRICS}.secondary.all(m, !has(m.slowerThan) || {cel('m.slowerThan')} <= {_TIMEOUT})"
    f" && (!has({_TEMPLATE_METRICS}.primary) || !has({_TEMPLATE_METRICS}.primary.slowerThan)"
    f" || {cel(f'{_TEMPLATE_METRICS}.primary.slowerThan')} <= {_TIMEOUT}))",
    "slowerThan of a metric must not be longer than serving.timeout, which ends requests: nothing is ever "
    "slower",
    lambda spec: all(
        milliseconds(metric.slower_than) <= milliseconds(spec.serving.timeout)
        for metric in (spec.rollout.experiment.metrics.every if spec.rollout.experiment else ())
        if metric.slower_than
    ),
    ".rollout.experiment",
)
PICKLE_NEEDS_A_YES = Rule(
    "self.format != 'Joblib' || self.allowPickle",
    "a joblib file runs code when it is opened; say allowPickle: true if you trust its author",
    lambda artifact: artifact.format != "Joblib" or artifact.allow_pickle,
    ".allowPickle",
)


class Artifact(Resource):
    """A folder that Assay's training wrote, or one like it, or a lone file of a model."""

    RULES: ClassVar = (PICKLE_NEEDS_A_YES,)

    uri: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            pattern=LINE,
            description="An fsspec URL (file, http, https, s3, gs, az): of a file, if it ends with .onnx, "
            ".skops, .joblib, .pkl, .json or .ubj, else of a folder.",
        ),
    ]
    digest: Annotated[
        Digest,
        Field(description="sha256 of the file, or of the folder's manifest.json; checked before it is read."),
    ]
    format: Annotated[
        Literal["Any", "ONNX", "Skops", "XGBoost", "Joblib"],
        Field(description="Expected format; another suffix or manifest is refused unopened."),
    ] = "Any"
    allow_pickle: Annotated[
        Flag,
        Field(
            description="Whether a joblib file may be opened. It runs code of its author's choice in the pod."
        ),
    ] = False


Path = Annotated[str, Field(max_length=256, pattern="^/[!-~]*$")]


class Image(Resource):
    """A container image that serves by itself, for example a Bento."""

    image: Annotated[
        str, Field(min_length=1, max_length=512, pattern="^[!-~]+$", description="Reference of the image.")
    ]
    port: Annotated[Whole, Field(ge=1, le=65535, description="Port of its HTTP server.")] = 3000
    readiness_path: Annotated[Path, Field(description="Path of its readiness probe.")] = "/readyz"
    predict_path: Annotated[
        Path,
        Field(
            description='Path of predictions, called for gates with {"rows": [{column: value}]}; it returns '
            '{"predictions": [{"label", "probabilities"} or {"value"}]}.',
        ),
    ] = "/predict"


class Rollout(Resource):
    """How a new version meets the champion."""

    RULES: ClassVar = (TEMPLATE,)

    experiment: Annotated[
        ExperimentTemplate | None,
        Field(description="Experiment in which every new version meets the champion."),
    ] = None
    strategy: Literal["Experiment", "Replace"] = Field(
        default_factory=lambda known: "Experiment" if known.get("experiment") else "Replace",
        description="Experiment: a new version must win. Replace: it takes over when its gates pass and it "
        "is ready. Default: Experiment if experiment is given, else Replace.",
    )
    rollback_window: Annotated[
        Pause, Field(description="Time for which the former champion is kept warm; at most 90d.")
    ] = "1h"
    bake: Annotated[Bake, Field(description="Watch over a new champion while the former one is warm.")] = (
        Bake()
    )

    @property
    def effective_strategy(self) -> Literal["Experiment", "Replace"]:
        """The strategy that the spec says, or that follows from it."""
        return self.strategy


class History(Resource):
    """How much of the past is kept."""

    keep: Annotated[
        Whole,
        Field(
            ge=1,
            le=100,
            description="Number of versions and finished Experiments kept beyond those serving, warm "
            "or under test; files stay in the store.",
        ),
    ] = 5


class Evaluation(Resource):
    """How an artifact or an image is judged that was made elsewhere."""

    data: Annotated[Data, Field(description="Evaluation data: its source, and the columns with a role.")]
    columns: Annotated[
        Columns | None,
        Field(
            description="What an image is sent of each row. Default: all columns but key, target and time."
        ),
    ] = None
    worker: Annotated[
        Worker, Field(description="Scheduling and compute resources of the evaluation pod.")
    ] = Worker()


class Source(Resource):
    """What a version is made from; two equal sources are one version."""

    task: Annotated[Task, Field(description="Learning task.")] = "Classification"
    training: Annotated[Training | None, Field(description="Training of a version from data.")] = None
    artifact: Annotated[Artifact | None, Field(description="Artifact of a model made elsewhere.")] = None
    image: Annotated[Image | None, Field(description="Container image with its own server.")] = None
    evaluation: Annotated[
        Evaluation | None,
        Field(description="Evaluation data, on which the gates of an artifact or an image are measured."),
    ] = None
    gates: Annotated[
        Gates,
        Field(description="Quality gates: offline bars that a version must pass before it gets traffic."),
    ] = ()


class ModelSpec(Source):
    """What to serve under this name, and how a new version earns it."""

    RULES: ClassVar = (
        ONE_SOURCE, GATES_NEED_ROWS, NO_FILES, SENT_TO_IMAGES, GATES_FIT_THE_TASK, SLOW_ANSWERS_CAN_COME,
    )  # fmt: skip

    serving: Annotated[Serving, Field(description="Serving of the versions.")] = Serving()
    rollout: Annotated[Rollout, Field(description="Rollout of a new version.")] = Rollout()
    history: Annotated[History, Field(description="Retention of old versions and Experiments.")] = History()

    @property
    def source(self) -> Source:
        """The part that makes a version."""
        return Source(
            task=self.task,
            training=self.training,
            artifact=self.artifact,
            image=self.image,
            evaluation=self.evaluation,
            gates=self.gates,
        )


NAME_FITS = named(40)


class Model(Observed):
    """A named endpoint with a champion and a history."""

    RULES: ClassVar = (NAME_FITS, NO_DOUBLE_DASH)

    metadata: Metadata
    spec: Annotated[ModelSpec, Field(description="Desired state.")]
    status: Annotated[ModelStatus, Field(description="Observed state.")] = ModelStatus()
