"""The `Model` resource: a named endpoint with a champion and a history."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.data import Columns, Data
from assay_api.experiment import ExperimentTemplate
from assay_api.model_status import Alert, ChampionRecord, ModelState, ModelStatus, OrderResult
from assay_api.resource import Digest, Duration, Metadata, Observed, Resource, rules
from assay_api.serving import Serving
from assay_api.training import Gate, Task, Training
from assay_api.worker import Worker

__all__ = [
    "Alert",
    "ChampionRecord",
    "Model",
    "ModelSpec",
    "ModelState",
    "ModelStatus",
    "OrderResult",
    "Source",
]

ONE_SOURCE = "say exactly one of training, artifact or image"
GATES_NEED_ROWS = (
    "gates are measured by training, or on the rows of evaluation, which goes with artifact or image"
)
NO_FILES = "artifactBytes is the size of an artifact's files; an image has none to measure"
SENT_TO_IMAGES = "evaluation.columns says what an image is sent; an artifact knows its own columns"
_ROWS = "has(self.training) ? !has(self.evaluation) : has(self.evaluation) || size(self.gates) == 0"
_MEASURABLE = "!has(self.image) || self.gates.all(gate, gate.metric != 'artifactBytes')"
_SENT = "!has(self.evaluation) || !has(self.evaluation.columns) || has(self.image)"
TEMPLATE = "strategy Experiment needs the experiment to make; say rollout.experiment, or strategy Replace"
PICKLE_NEEDS_A_YES = (
    "a joblib file runs code when it is opened; say allowPickle: true if you trust its author"
)
_EXACTLY_ONE = "[has(self.training), has(self.artifact), has(self.image)].filter(x, x).size() == 1"


class Artifact(Resource):
    """A folder that Assay's training wrote, or one like it, or a lone file of a model."""

    model_config = ConfigDict(
        json_schema_extra=rules({"self.format != 'Joblib' || self.allowPickle": PICKLE_NEEDS_A_YES})
    )

    uri: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
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
        Field(description="What its ending or its manifest must say; another format is refused unopened."),
    ] = "Any"
    allow_pickle: Annotated[
        bool,
        Field(description="May a joblib file be opened? It runs code of its author's choice in the pod."),
    ] = False

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.format == "Joblib" and not self.allow_pickle:
            raise ValueError(PICKLE_NEEDS_A_YES)
        return self


class Image(Resource):
    """A container image that serves by itself, for example a Bento."""

    image: Annotated[str, Field(min_length=1, max_length=512)]
    port: Annotated[int, Field(ge=1, le=65535)] = 3000
    readiness_path: Annotated[str, Field(max_length=256, pattern="^/")] = "/readyz"
    predict_path: Annotated[
        str,
        Field(
            max_length=256,
            pattern="^/",
            description='Where gates ask it, with {"rows": [{column: value}]}; it answers '
            '{"predictions": [{"label", "probabilities"} or {"value"}]}.',
        ),
    ] = "/predict"


class Bake(Resource):
    """How a new champion is watched after a promotion."""

    duration: Annotated[
        Duration,
        Field(
            description="Watched for this long after it took over, and not longer than rollbackWindow: "
            "if it has no ready pod meanwhile, the former champion serves again. 0s: not watched."
        ),
    ] = "10m"


class Rollout(Resource):
    """How a new version meets the champion."""

    model_config = ConfigDict(
        json_schema_extra=rules({"self.strategy != 'Experiment' || has(self.experiment)": TEMPLATE})
    )

    strategy: Annotated[
        Literal["Experiment", "Replace"],
        Field(
            description="Experiment: it must win. Replace: it takes over when its gates pass and it is ready."
        ),
    ] = "Replace"
    experiment: ExperimentTemplate | None = None
    rollback_window: Annotated[Duration, Field(description="How long the old champion is kept warm.")] = "1h"
    bake: Annotated[
        Bake, Field(description="How a new champion is watched while the former one is warm.")
    ] = Bake()

    @property
    def effective_strategy(self) -> Literal["Experiment", "Replace"]:
        """The strategy that the spec says, or that follows from it."""
        return self.strategy

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.strategy == "Experiment" and self.experiment is None:
            raise ValueError(TEMPLATE)
        return self


class History(Resource):
    """How much of the past is kept."""

    keep: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Versions and finished Experiments that are kept. What serves, may come back "
            "or is tested stays anyway; files stay in the store.",
        ),
    ] = 5


class Evaluation(Resource):
    """How an artifact or an image is judged that was made elsewhere."""

    data: Data
    columns: Annotated[
        Columns | None,
        Field(
            description="What an image is sent of each row. Default: all columns but key, target and time."
        ),
    ] = None
    worker: Worker = Worker()


class Source(Resource):
    """What a version is made from; two equal sources are one version."""

    task: Task = "Classification"
    training: Training | None = None
    artifact: Artifact | None = None
    image: Image | None = None
    evaluation: Evaluation | None = None
    gates: tuple[Gate, ...] = ()


class ModelSpec(Resource):
    """What to serve under this name, and how a new version earns it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                _EXACTLY_ONE: ONE_SOURCE,
                _ROWS: GATES_NEED_ROWS,
                _MEASURABLE: NO_FILES,
                _SENT: SENT_TO_IMAGES,
            }
        )
    )

    task: Task = "Classification"
    training: Training | None = None
    artifact: Artifact | None = None
    image: Image | None = None
    evaluation: Annotated[
        Evaluation | None,
        Field(description="Rows on which the gates of an artifact or an image are measured."),
    ] = None
    gates: Annotated[tuple[Gate, ...], Field(max_length=50)] = ()
    serving: Serving = Serving()
    rollout: Rollout = Rollout()
    history: History = History()

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

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if [self.training, self.artifact, self.image].count(None) != 2:  # noqa: PLR2004  two of the three
            raise ValueError(ONE_SOURCE)
        if not _has_rows(self):
            raise ValueError(GATES_NEED_ROWS)
        if self.image and any(gate.metric == "artifactBytes" for gate in self.gates):
            raise ValueError(NO_FILES)
        if self.evaluation and self.evaluation.columns is not None and not self.image:
            raise ValueError(SENT_TO_IMAGES)
        return self


def _has_rows(spec: ModelSpec) -> bool:
    return spec.evaluation is None if spec.training else bool(spec.evaluation) or not spec.gates


NAME_FITS = "the name of a Model starts with a letter and has at most 40 characters"


class Model(Observed):
    """A named endpoint with a champion and a history."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {"self.metadata.name.matches('^[a-z][-a-z0-9]*$') && size(self.metadata.name) <= 40": NAME_FITS}
        )
    )

    metadata: Metadata
    spec: ModelSpec
    status: ModelStatus = ModelStatus()
