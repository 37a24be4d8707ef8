"""The `Experiment` resource: versions of a Model share its traffic until one of them wins."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from assay_api.duration import Age, Pause, Period, milliseconds
from assay_api.experiment_rules import ENDS, FROZEN, OUR_HEADERS, SPEC_RULES, SPECIAL_HEADERS, TEMPLATE_RULES
from assay_api.experiment_status import ExperimentStatus
from assay_api.metric import Metrics
from assay_api.resource import (
    LINES,
    NO_DOUBLE_DASH,
    Flag,
    Metadata,
    Name,
    Number,
    Observed,
    Percent,
    Resource,
    Whole,
    named,
)

WEEK, MONTH = "7d", "28d"


class ModelRef(Resource):
    """A Model in the same namespace."""

    name: Annotated[Name, Field(description="Name of the Model.")]


class Unit(Resource):
    """The unit of randomisation and analysis: a user, a session, a device."""

    RULES: ClassVar = (OUR_HEADERS, SPECIAL_HEADERS)

    header: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="Request header that identifies the unit.",
        ),
    ] = "x-user-id"


class Layer(Resource):
    """Experiments that share no unit, be they of different Models."""

    name: Annotated[
        Name, Field(description="Name of the layer; Experiments of one namespace that name it are exclusive.")
    ]
    share: Annotated[
        Whole,
        Field(ge=1, le=100, description="Percentage of all units that are reserved for this Experiment."),
    ]


class WeightedArm(Resource):
    """One side of a split."""

    name: Annotated[Name, Field(description="Name of the arm.")]
    weight: Annotated[Percent, Field(description="Percentage of the enrolled units.")]


class TemplateArm(WeightedArm):
    """One side of an Experiment that is yet to be made."""

    version: Annotated[
        Name | None,
        Field(
            description="Name of a ModelVersion that is tested besides the new one; not for the first two "
            "arms. While it is the champion, or the new version itself, its weight is the new version's."
        ),
    ] = None


class Arm(WeightedArm):
    """One side of the Experiment."""

    version: Annotated[Name, Field(description="Name of the ModelVersion to serve.")]


class Step(Resource):
    """A step of the ramp: how many units are on candidates, and for how long at least."""

    percent: Annotated[Percent, Field(description="Percentage of all units on candidates.")]
    min_duration: Annotated[Pause, Field(description="Minimum duration of the step; at most 90d.")] = "0s"
    min_units_per_arm: Annotated[
        Whole,
        Field(ge=0, le=1_000_000_000, description="Minimum sample size per arm in the step."),
    ] = 0


def _least(known: dict[str, Any]) -> str:
    """Return a week, or all the time there is if that is less."""
    return min(WEEK, str(known.get("max_duration", MONTH)), key=milliseconds)


class Decision(Resource):
    """The statistical test, and when it ends."""

    RULES: ClassVar = (ENDS,)

    method: Annotated[
        Literal["Sequential"],
        Field(description="Statistical test. Sequential: always valid, at any number of looks."),
    ] = "Sequential"
    alpha: Annotated[
        Number,
        Field(
            ge=0.0001,
            lt=0.5,
            description="Type I error rate over all looks (probability of a false positive).",
        ),
    ] = 0.05
    power: Annotated[
        Number, Field(ge=0.5, le=0.999, description="Statistical power at the minimum detectable effect.")
    ] = 0.8
    max_duration: Annotated[
        Period, Field(description="Maximum duration; undecided after this is inconclusive. At most 90d.")
    ] = MONTH
    min_duration: Pause = Field(
        default_factory=_least,
        description="Minimum duration before a promotion; whole weeks average out weekdays. Default: 7d, or "
        "maxDuration if that is shorter.",
    )
    max_units: Annotated[
        Whole,
        Field(
            ge=0,
            le=1_000_000_000_000,
            description="Maximum sample size; inconclusive after it. 0: no maximum.",
        ),
    ] = 0
    approval: Annotated[
        Literal["Automatic", "Manual"],
        Field(description="Manual: a winner waits for the annotation assay.dev/approve."),
    ] = "Automatic"
    on_inconclusive: Annotated[
        Literal["KeepControl", "Promote"],
        Field(description="Version to serve if the experiment ends inconclusive."),
    ] = "KeepControl"
    max_data_age: Annotated[
        Age, Field(description="Maximum age of the newest data; older data is stale and holds every verdict.")
    ] = "5m"


DEFAULT_RAMP = (Step(percent=5), Step(percent=10), Step(percent=20), Step(percent=50))
Ramp = Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]


class Design(Resource):
    """Hypothesis, unit, ramp and decision: what is common to an Experiment and a Model's template of one."""

    hypothesis: Annotated[
        str | None,
        Field(max_length=500, pattern=LINES, description="Hypothesis: what is expected, in a sentence."),
    ] = None
    unit: Annotated[Unit, Field(description="Unit of randomisation and analysis.")] = Unit()
    layer: Annotated[
        Layer | None,
        Field(
            description="Mutual exclusion: no unit is in two Experiments of a layer. Absent: overlaps with "
            "all others."
        ),
    ] = None
    ramp: Annotated[Ramp, Field(description="Ramp-up of the traffic on candidates, step by step.")] = (
        DEFAULT_RAMP
    )
    decision: Annotated[Decision, Field(description="Statistical test and stopping rules.")] = Decision()
    allow_schema_change: Annotated[
        Flag,
        Field(
            description="true: starts although a candidate requires more or other columns than the "
            "control; callers must send those of both."
        ),
    ] = False


class ExperimentTemplate(Design):
    """How every new version of a Model meets the champion."""

    RULES: ClassVar = TEMPLATE_RULES

    arms: Annotated[
        tuple[TemplateArm, ...],
        Field(
            min_length=2,
            max_length=10,
            description="Arms: the first is the champion, the second the new version, further ones name "
            "their version.",
        ),
    ] = (TemplateArm(name="control", weight=50), TemplateArm(name="candidate", weight=50))
    metrics: Annotated[Metrics, Field(description="Primary, guardrail and secondary metrics.")]


class ExperimentSpec(Design):
    """What to compare, how fast to widen it, and when to believe the difference."""

    RULES: ClassVar = SPEC_RULES

    model_ref: Annotated[ModelRef, Field(description="Model whose traffic is split.")]
    mode: Annotated[
        Literal["AB", "AA", "Shadow"],
        Field(
            description="AB: candidates against the control. AA: one version in every arm, which tests the "
            "test. Shadow: the candidate receives copies of requests, and its answers are dropped."
        ),
    ] = "AB"
    arms: Annotated[
        tuple[Arm, ...],  # no map: CEL compares maps unordered
        Field(
            min_length=2,
            max_length=10,
            description="Arms: the first is the control and serves the champion, the others are candidates.",
        ),
    ]
    metrics: Annotated[Metrics, Field(description="Primary, guardrail and secondary metrics.")] = Metrics()
    suspend: Annotated[
        Flag,
        Field(description="true: no verdict and no step is made; the split stays as it is."),
    ] = False

    @property
    def control(self) -> Arm:
        """The arm that the others are compared with."""
        return self.arms[0]

    @property
    def candidates(self) -> tuple[Arm, ...]:
        """The other arms."""
        return self.arms[1:]

    @property
    def weights(self) -> dict[str, int]:
        """Percent of the enrolled units, by arm."""
        return {arm.name: arm.weight for arm in self.arms}


NAME_FITS = named(63)


class Experiment(Observed):
    """Versions of a Model share its traffic until one of them wins."""

    RULES: ClassVar = (NAME_FITS, NO_DOUBLE_DASH, *FROZEN)

    metadata: Metadata
    spec: Annotated[ExperimentSpec, Field(description="Desired state.")]
    status: Annotated[ExperimentStatus, Field(description="Observed state.")] = ExperimentStatus()
