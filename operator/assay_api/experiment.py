"""The `Experiment` resource: versions of a Model share its traffic until one of them wins."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.experiment_status import ExperimentStatus
from assay_api.metric import Metrics
from assay_api.resource import Duration, Metadata, Name, Observed, Percent, Resource, rules

ALL = 100
RESERVED = ("none", "unenrolled", "champion")

WEIGHTS_ADD_UP = "the weights of the arms must add up to 100"
NAMES_DIFFER = "the arms must have different names"
NAME_IS_TAKEN = "none, unenrolled and champion are no names for an arm"
VERSIONS_DIFFER = "the arms must serve different versions (mode AA: the same one)"
RAMP_ASCENDS = "the ramp must be ascending"
RAMP_FITS = "the ramp must not exceed the weight of the candidates, 100 minus the weight of the first arm"
LAYER_FITS = "in a layer the ramp must not exceed the candidates' part of layer.share"
PROMISE = "an Experiment needs a primary metric or a guardrail, or it could never decide"
ENDS = "maxDuration must not be shorter than minDuration"
NOT_OURS = "headers that start with x-assay- or x-envoy- are the gateway's own"
SHADOW_IS_ONE = "mode Shadow has a control and one candidate, and no layer"
SHADOW_COUNTS_NOBODY = (
    "mode Shadow counts no units: no primary, no guardrails, no minUnitsPerArm, and secondary metrics of "
    "Prometheus or SQL only"
)
FIXED = "{0} cannot change while the Experiment runs; make a new Experiment"


class ModelRef(Resource):
    """A Model in the same namespace."""

    name: Name


class Unit(Resource):
    """What is randomised and analysed: a user, a session, a device."""

    model_config = ConfigDict(
        json_schema_extra=rules({"!self.header.matches('^x-(assay|envoy)-')": NOT_OURS})
    )

    header: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
            description="The request header that names it.",
        ),
    ] = "x-user-id"

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.header.startswith(("x-assay-", "x-envoy-")):
            raise ValueError(NOT_OURS)
        return self


class Layer(Resource):
    """Experiments that share no unit, be they of different Models."""

    name: Annotated[Name, Field(description="Experiments of one namespace that name the same layer.")]
    share: Annotated[
        int, Field(ge=1, le=100, description="Percent of all units that this Experiment keeps for itself.")
    ]


class TemplateArm(Resource):
    """One side of an Experiment that is yet to be made."""

    name: Name
    weight: Annotated[Percent, Field(description="Share of the enrolled units, in percent.")]


class Arm(TemplateArm):
    """One side of the Experiment."""

    version: Annotated[Name, Field(description="Name of the ModelVersion to serve.")]


class Step(Resource):
    """How much of the world sees a candidate, and for how long at least."""

    percent: Annotated[Percent, Field(description="Percent of all units on candidates.")]
    min_duration: Annotated[Duration, Field(description="Stay at least this long.")] = "0s"
    min_units_per_arm: Annotated[
        int, Field(ge=0, le=1_000_000_000, description="Stay until every arm has this many.")
    ] = 0


class Decision(Resource):
    """When to believe the difference."""

    method: Annotated[
        Literal["Sequential"],
        Field(description="Sequential: may be looked at every second without inflating errors."),
    ] = "Sequential"
    alpha: Annotated[float, Field(ge=0.0001, le=0.5, description="Share of false verdicts to bear.")] = 0.05
    power: Annotated[float, Field(ge=0.5, le=0.999, description="Chance to find the minimum effect.")] = 0.8
    min_duration: Annotated[
        Duration, Field(description="No promotion before; a whole week evens out the days.")
    ] = "7d"
    max_duration: Annotated[Duration, Field(description="Undecided after this: inconclusive.")] = "28d"
    max_units: Annotated[
        int, Field(ge=0, le=1_000_000_000_000, description="Inconclusive after so many units; 0: no bound.")
    ] = 0
    approval: Annotated[
        Literal["Automatic", "Manual"],
        Field(description="Manual: a winner waits for the annotation assay.dev/approve."),
    ] = "Automatic"
    on_inconclusive: Annotated[
        Literal["KeepControl", "Promote"], Field(description="Who serves on when time is up.")
    ] = "KeepControl"
    max_data_age: Annotated[
        Duration, Field(description="No verdict from data older than this; the Experiment holds instead.")
    ] = "5m"


DEFAULT_RAMP = (Step(percent=5), Step(percent=10), Step(percent=20), Step(percent=50))
Ramp = Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]
_ARM_NAMES = {
    "self.arms.map(a, a.weight).sum() == 100": WEIGHTS_ADD_UP,
    "self.arms.all(a, self.arms.exists_one(b, a.name == b.name))": NAMES_DIFFER,
    "self.arms.all(a, !(a.name in ['none', 'unenrolled', 'champion']))": NAME_IS_TAKEN,
    "self.ramp.map(s, s.percent).isSorted()": RAMP_ASCENDS,
    "self.ramp.all(s, s.percent <= 100 - self.arms[0].weight)": RAMP_FITS,
    "!has(self.layer) || self.ramp.all(s, s.percent * 100"
    " <= self.layer.share * (100 - self.arms[0].weight))": LAYER_FITS,
    "has(self.metrics.primary) || size(self.metrics.guardrails) > 0": PROMISE,
}
_WITHOUT_SPLIT = {RAMP_FITS, PROMISE}  # what a shadow need not heed
_EXPERIMENT_RULES = {
    f"self.mode == 'Shadow' || ({rule})" if words in _WITHOUT_SPLIT else rule: words
    for rule, words in _ARM_NAMES.items()
} | {
    "self.mode != 'Shadow' || (size(self.arms) == 2 && !has(self.layer))": SHADOW_IS_ONE,
    "self.mode != 'Shadow' || (!has(self.metrics.primary) && size(self.metrics.guardrails) == 0"
    " && self.metrics.secondary.all(m, has(m.prometheus) || has(m.sql))"
    " && self.ramp.all(s, s.minUnitsPerArm == 0))": SHADOW_COUNTS_NOBODY,
}
_VERSIONS = {
    "self.mode == 'AA' ? self.arms.all(a, a.version == self.arms[0].version)"
    " : self.arms.all(a, self.arms.exists_one(b, a.version == b.version))": VERSIONS_DIFFER,
}


class Design(Resource):
    """What is asked, of whom, how fast it is widened, and when the difference is believed."""

    hypothesis: Annotated[
        str | None, Field(max_length=2000, description="What is expected, in a sentence.")
    ] = None
    unit: Unit = Unit()
    layer: Annotated[
        Layer | None,
        Field(description="No unit is in two Experiments of a layer. Absent: it overlaps with all others."),
    ] = None
    ramp: Ramp = DEFAULT_RAMP
    decision: Decision = Decision()


class ExperimentTemplate(Design):
    """How every new version of a Model meets the champion."""

    model_config = ConfigDict(json_schema_extra=rules(_ARM_NAMES))

    arms: Annotated[
        tuple[TemplateArm, ...],
        Field(
            min_length=2,
            max_length=2,
            description="The first arm is the control, the second the new version.",
        ),
    ] = (TemplateArm(name="control", weight=50), TemplateArm(name="candidate", weight=50))
    metrics: Metrics

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        _check(_shape(self))
        return self


class ExperimentSpec(Design):
    """What to compare, how fast to widen it, and when to believe the difference."""

    model_config = ConfigDict(json_schema_extra=rules(_EXPERIMENT_RULES | _VERSIONS))

    model_ref: ModelRef
    mode: Annotated[
        Literal["AB", "AA", "Shadow"],
        Field(
            description="AB: candidates against the control. AA: one version in every arm, to test the test. "
            "Shadow: the candidate is shown copies of requests, and nobody sees its answers."
        ),
    ] = "AB"
    arms: Annotated[
        tuple[Arm, ...],  # no map: CEL compares maps unordered
        Field(
            min_length=2, max_length=10, description="The first arm is the control, the champion's version."
        ),
    ]
    metrics: Metrics = Metrics()
    suspend: Annotated[
        bool,
        Field(description="True: no new units are judged and no step is taken; the split stays as it is."),
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

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        different = len({arm.version for arm in self.arms})
        versions = different == 1 if self.mode == "AA" else different == len(self.arms)
        _check((*_shape(self, shadow=self.mode == "Shadow"), (versions, VERSIONS_DIFFER)))
        if self.mode == "Shadow":
            _check(_shadow(self))
        return self


def _shadow(spec: ExperimentSpec) -> tuple[tuple[bool, str], ...]:
    metrics = spec.metrics
    asked = all(metric.query for metric in metrics.secondary)
    uncounted = not any(step.min_units_per_arm for step in spec.ramp)
    return (
        (len(spec.arms) == 2 and spec.layer is None, SHADOW_IS_ONE),  # noqa: PLR2004
        (not metrics.primary and not metrics.guardrails and asked and uncounted, SHADOW_COUNTS_NOBODY),
    )


def _shape(
    spec: ExperimentTemplate | ExperimentSpec, *, shadow: bool = False
) -> tuple[tuple[bool, str], ...]:
    arms, metrics = spec.arms, spec.metrics
    percents = [step.percent for step in spec.ramp]
    most = (spec.layer.share if spec.layer else ALL) * (ALL - arms[0].weight)
    return (
        (sum(arm.weight for arm in arms) == ALL, WEIGHTS_ADD_UP),
        (len({arm.name for arm in arms}) == len(arms), NAMES_DIFFER),
        (not {arm.name for arm in arms} & set(RESERVED), NAME_IS_TAKEN),
        (percents == sorted(percents), RAMP_ASCENDS),
        (shadow or max(percents) <= ALL - arms[0].weight, RAMP_FITS),
        (spec.layer is None or max(percents) * ALL <= most, LAYER_FITS),
        (shadow or bool(metrics.primary or metrics.guardrails), PROMISE),
    )


def _check(claims: tuple[tuple[bool, str], ...]) -> None:
    for holds, message in claims:
        if not holds:
            raise ValueError(message)


_RUNNING = "!has(self.status) || !has(self.status.startedAt) || self.spec.{0} == oldSelf.spec.{0}"
_RUNNING_LAYER = (
    "!has(self.status) || !has(self.status.startedAt) || (has(self.spec.layer) == has(oldSelf.spec.layer)"
    " && (!has(self.spec.layer) || self.spec.layer == oldSelf.spec.layer))"
)
_FROZEN = ("modelRef", "mode", "arms", "unit", "ramp", "metrics", "decision")


class Experiment(Observed):
    """Versions of a Model share its traffic until one of them wins."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {_RUNNING.format(f): FIXED.format(f) for f in _FROZEN} | {_RUNNING_LAYER: FIXED.format("layer")}
        )
    )

    metadata: Metadata
    spec: ExperimentSpec
    status: ExperimentStatus = ExperimentStatus()
