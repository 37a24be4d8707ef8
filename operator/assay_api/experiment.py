"""The `Experiment` resource: versions of a Model share its traffic until one of them wins."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.condition import Condition
from assay_api.metric import Metrics
from assay_api.resource import Duration, Metadata, Name, Observed, Percent, Resource, keyed_by, rules

ALL = 100
RESERVED = ("none", "unenrolled", "champion")

WEIGHTS_ADD_UP = "the weights of the arms must add up to 100"
NAMES_DIFFER = "the arms must have different names"
NAME_IS_TAKEN = "none, unenrolled and champion are no names for an arm"
VERSIONS_DIFFER = "the arms must serve different versions (mode AA: the same one)"
RAMP_ASCENDS = "the ramp must be ascending"
RAMP_FITS = "the ramp must not exceed the weight of the candidates, 100 minus the weight of the first arm"
PROMISE = "an Experiment needs a primary metric or a guardrail, or it could never decide"
ENDS = "maxDuration must not be shorter than minDuration"
NOT_OURS = "headers that start with x-assay- or x-envoy- are the gateway's own"
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
    "has(self.metrics.primary) || size(self.metrics.guardrails) > 0": PROMISE,
}
_VERSIONS = {
    "self.mode == 'AA' ? self.arms.all(a, a.version == self.arms[0].version)"
    " : self.arms.all(a, self.arms.exists_one(b, a.version == b.version))": VERSIONS_DIFFER,
}


class ExperimentTemplate(Resource):
    """How every new version of a Model meets the champion."""

    model_config = ConfigDict(json_schema_extra=rules(_ARM_NAMES))

    hypothesis: Annotated[
        str | None, Field(max_length=2000, description="What is expected, in a sentence.")
    ] = None
    unit: Unit = Unit()
    arms: Annotated[
        tuple[TemplateArm, ...],
        Field(
            min_length=2,
            max_length=2,
            description="The first arm is the control, the second the new version.",
        ),
    ] = (TemplateArm(name="control", weight=50), TemplateArm(name="candidate", weight=50))
    ramp: Ramp = DEFAULT_RAMP
    metrics: Metrics
    decision: Decision = Decision()

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        _check(_shape(self.arms, self.ramp, self.metrics))
        return self


class ExperimentSpec(Resource):
    """What to compare, how fast to widen it, and when to believe the difference."""

    model_config = ConfigDict(json_schema_extra=rules(_ARM_NAMES | _VERSIONS))

    model_ref: ModelRef
    hypothesis: Annotated[
        str | None, Field(max_length=2000, description="What is expected, in a sentence.")
    ] = None
    mode: Annotated[
        Literal["AB", "AA"],
        Field(
            description="AB: candidates against the control. AA: one version in every arm, to test the test."
        ),
    ] = "AB"
    unit: Unit = Unit()
    arms: Annotated[
        tuple[Arm, ...],  # no map: CEL compares maps unordered
        Field(
            min_length=2, max_length=10, description="The first arm is the control, the champion's version."
        ),
    ]
    ramp: Ramp = DEFAULT_RAMP
    metrics: Metrics
    decision: Decision = Decision()
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
        _check((*_shape(self.arms, self.ramp, self.metrics), (versions, VERSIONS_DIFFER)))
        return self


def _shape(
    arms: tuple[TemplateArm, ...], ramp: tuple[Step, ...], metrics: Metrics
) -> tuple[tuple[bool, str], ...]:
    percents = [step.percent for step in ramp]
    return (
        (sum(arm.weight for arm in arms) == ALL, WEIGHTS_ADD_UP),
        (len({arm.name for arm in arms}) == len(arms), NAMES_DIFFER),
        (not {arm.name for arm in arms} & set(RESERVED), NAME_IS_TAKEN),
        (percents == sorted(percents), RAMP_ASCENDS),
        (max(percents) <= ALL - arms[0].weight, RAMP_FITS),
        (bool(metrics.primary or metrics.guardrails), PROMISE),
    )


def _check(claims: tuple[tuple[bool, str], ...]) -> None:
    for holds, message in claims:
        if not holds:
            raise ValueError(message)


class Slots(Observed):
    """A part of the hash space that belongs to an arm; `to` is exclusive."""

    arm: Annotated[str, Field(max_length=63)]
    start: Annotated[int, Field(ge=0, le=10_000, alias="from")]
    end: Annotated[int, Field(ge=0, le=10_000, alias="to")]


class ArmStatus(Observed):
    """What an arm gets and has seen."""

    name: Annotated[str, Field(max_length=63)]
    version: Annotated[str, Field(max_length=63)]
    share: Annotated[float, Field(description="Percent of all units.")] = 0
    units: Annotated[int, Field(description="Units that were answered under this arm.")] = 0


class Analysis(Observed):
    """One metric of one candidate against the control; valid whenever it is read."""

    metric: Annotated[str, Field(max_length=63)]
    arm: Annotated[str, Field(max_length=63)]
    role: Annotated[Literal["Primary", "Guardrail", "Secondary"], Field()]
    units: int = 0
    control: Annotated[float | None, Field(description="The control's value.")] = None
    estimate: Annotated[float | None, Field(description="The candidate's value minus the control's.")] = None
    low: float | None = None
    high: float | None = None
    p_value: Annotated[float | None, Field(description="Always valid: the smallest so far.")] = None
    log_evidence: Annotated[
        float | None, Field(description="The largest so far; decides at ln(1/alpha).")
    ] = None
    peaks: Annotated[tuple[float, ...], Field(max_length=4, description="The largest evidence so far.")] = ()
    says: Annotated[str, Field(max_length=256, description="What it means, in words.")] = ""


class Plan(Observed):
    """What was fixed before the first unit came."""

    units_per_arm: Annotated[
        int | None, Field(description="Planned for the minimum effect at the wanted power.")
    ] = None
    settle_seconds: Annotated[
        float, Field(description="When every request of a unit has ended, and its ratio can be judged.")
    ] = 32
    rules: Annotated[
        dict[str, Any],
        Field(
            description="The test of each metric, frozen.",
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}


class Checks(Observed):
    """May the numbers be trusted?"""

    srm: Annotated[
        str, Field(max_length=256, description="Sample ratio: do the arms have the share they should?")
    ] = ""
    srm_log_evidence: Annotated[
        float, Field(description="Against the declared split; the largest so far.")
    ] = 0
    audit: Annotated[
        str, Field(max_length=256, description="Assignment: does every exposure stand where it should?")
    ] = ""
    freshness: Annotated[str, Field(max_length=256, description="Age of the newest data.")] = ""


class Verdict(Observed):
    """How it ended, and the numbers from which it follows."""

    verdict: Literal["Promote", "RollBack", "Invalidate", "Conclude", "Abort"]
    reason: Annotated[str, Field(max_length=128)]
    message: Annotated[str, Field(max_length=2048)]
    at: datetime
    winner: Annotated[
        str | None, Field(max_length=63, description="The version that serves on, when promoted.")
    ] = None
    evidence: Annotated[
        dict[str, Any],
        Field(
            description="Everything the verdict was made from.",
            json_schema_extra={"x-kubernetes-preserve-unknown-fields": True},
        ),
    ] = {}


class ExperimentStatus(Observed):
    """What the operator found and did; never an instruction."""

    observed_generation: Annotated[int, Field(ge=0)] = 0
    phase: Annotated[str, Field(max_length=63, description="For people; programs read the conditions.")] = ""
    started_at: datetime | None = None
    step: Annotated[int, Field(ge=0, description="Index into the ramp.")] = 0
    step_started_at: datetime | None = None
    epoch: Annotated[int, Field(ge=0, description="Counts the changes of the table.")] = 0
    salt: Annotated[str, Field(max_length=63)] = ""
    table: Annotated[tuple[Slots, ...], Field(max_length=64)] = ()
    plan: Plan | None = None
    arms: Annotated[tuple[ArmStatus, ...], Field(max_length=10)] = ()
    analysis: Annotated[tuple[Analysis, ...], Field(max_length=250)] = ()
    checks: Checks | None = None
    decision: Verdict | None = None
    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=16, json_schema_extra=keyed_by("type"))
    ] = ()


_RUNNING = "!has(self.status) || !has(self.status.startedAt) || self.spec.{0} == oldSelf.spec.{0}"
_FROZEN = ("modelRef", "mode", "arms", "unit", "ramp", "metrics", "decision")


class Experiment(Observed):
    """Versions of a Model share its traffic until one of them wins."""

    model_config = ConfigDict(json_schema_extra=rules({_RUNNING.format(f): FIXED.format(f) for f in _FROZEN}))

    metadata: Metadata
    spec: ExperimentSpec
    status: ExperimentStatus = ExperimentStatus()
