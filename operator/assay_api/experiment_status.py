"""The status of an `Experiment`: what the operator found and did, and the numbers behind it."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from assay_api.condition import Condition
from assay_api.resource import Observed, keyed_by


class Span(Observed):
    """A part of the hash space; `to` is exclusive."""

    start: Annotated[int, Field(ge=0, le=10_000, alias="from")]
    end: Annotated[int, Field(ge=0, le=10_000, alias="to")]


class Slots(Span):
    """A part of the hash space that belongs to an arm; `to` is exclusive."""

    arm: Annotated[str, Field(max_length=63)]


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
    sources: Annotated[
        str, Field(max_length=1024, description="Metrics whose source gives no numbers, and why.")
    ] = ""
    crossover_units: Annotated[int, Field(ge=0, description="Seen in two arms; excluded.")] = 0
    bot_units: Annotated[int, Field(ge=0, description="Asked too often; excluded.")] = 0
    duplicate_exposures: Annotated[int, Field(ge=0, description="Came again; counted once.")] = 0
    orphan_outcomes: Annotated[int, Field(ge=0, description="Of units in no arm.")] = 0
    late_outcomes: Annotated[int, Field(ge=0, description="After their window or the end.")] = 0


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
    slots: Annotated[
        Span | None, Field(description="Its part of the layer, until every gateway has let go of it.")
    ] = None
    table: Annotated[tuple[Slots, ...], Field(max_length=64)] = ()
    plan: Plan | None = None
    arms: Annotated[tuple[ArmStatus, ...], Field(max_length=10)] = ()
    analysis: Annotated[tuple[Analysis, ...], Field(max_length=250)] = ()
    checks: Checks | None = None
    decision: Verdict | None = None
    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=16, json_schema_extra=keyed_by("type"))
    ] = ()
