"""The evidence of a verdict: typed numbers from which the same verdict can be computed again."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from assay_api.resource import Observed

ArmName = Annotated[str, Field(max_length=63)]


class Span(Observed):
    """A part of the hash space; `to` is exclusive."""

    start: Annotated[int, Field(ge=0, le=10_000, alias="from", description="First slot.")]
    end: Annotated[int, Field(ge=0, le=10_000, alias="to", description="The slot after the last.")]


class Slots(Span):
    """A part of the hash space that belongs to an arm; `to` is exclusive."""

    arm: Annotated[ArmName, Field(description="Name of the arm.")]


class Peak(Observed):
    """The largest log evidence so far of one metric of one arm."""

    metric: Annotated[str, Field(max_length=63, description="Name of the metric.")]
    arm: Annotated[ArmName, Field(description="Name of the candidate's arm.")]
    values: Annotated[
        tuple[float, ...],
        Field(
            max_length=6,
            description="Of a primary or secondary metric: better, worse, and the variance that intrinsic "
            "time is counted in, and the same of mature units; of a guardrail: harm, non-inferiority, and "
            "the variance of each.",
        ),
    ] = ()


class ArmEvidence(Observed):
    """What was counted for one arm."""

    version: Annotated[str, Field(max_length=63, description="ModelVersion of the arm.")]
    units: Annotated[int, Field(ge=0, description="Units that were answered under the arm.")] = 0
    metrics: Annotated[
        dict[str, Annotated[tuple[float, ...], Field(max_length=8)]],
        Field(max_length=64, description="Sufficient statistics by metric: n, sum, sum of squares, shift."),
    ] = {}


class GapEvidence(Observed):
    """A metric whose source gave no numbers."""

    metric: Annotated[str, Field(max_length=63, description="Name of the metric.")]
    reason: Annotated[str, Field(max_length=63, description="Machine-readable reason (CamelCase).")]
    message: Annotated[str, Field(max_length=1024, description="Why, in a sentence.")] = ""


class QualityEvidence(Observed):
    """What spoke for or against the numbers."""

    srm_log_evidence: Annotated[
        float | None, Field(description="Log evidence against the declared split; none: not checked.")
    ] = None
    audit_mismatches: Annotated[int, Field(ge=0, description="Exposures under another arm.")] = 0
    crossover_units: Annotated[int, Field(ge=0, description="Units exposed in more than one arm.")] = 0
    bot_units: Annotated[int, Field(ge=0, description="Units with too many requests (bots).")] = 0
    duplicate_exposures: Annotated[int, Field(ge=0, description="Duplicate exposures.")] = 0
    orphan_outcomes: Annotated[int, Field(ge=0, description="Outcomes of units in no arm.")] = 0
    late_outcomes: Annotated[int, Field(ge=0, description="Outcomes after their window.")] = 0
    data_age_seconds: Annotated[float | None, Field(description="Age of the newest data.")] = None
    fault: Annotated[str, Field(max_length=1024, description="Why the collector gave no answer.")] = ""
    gaps: Annotated[
        tuple[GapEvidence, ...], Field(max_length=32, description="Metrics without numbers.")
    ] = ()


class Evidence(Observed):
    """Everything that a verdict was computed from, apart from the spec and the frozen plan."""

    schema_version: Annotated[Literal[1], Field(description="Version of this block's schema.")] = 1
    now: Annotated[datetime, Field(description="The moment of the verdict.")]
    started_at: Annotated[datetime, Field(description="When the first units were enrolled.")]
    step: Annotated[int, Field(ge=0, description="Index into the ramp.")] = 0
    step_started_at: Annotated[datetime, Field(description="When the step began.")]
    arms: Annotated[dict[str, ArmEvidence], Field(max_length=10, description="Counts, by arm.")] = {}
    peaks: Annotated[
        tuple[Peak, ...], Field(max_length=250, description="Log evidence that was reached before.")
    ] = ()
    quality: Annotated[QualityEvidence, Field(description="May the numbers be trusted?")] = QualityEvidence()
    dropped: Annotated[
        tuple[ArmName, ...], Field(max_length=10, description="Arms that were dropped before.")
    ] = ()
    down: Annotated[
        dict[str, float], Field(max_length=10, description="Seconds without a ready pod, by candidate.")
    ] = {}
    drifting: Annotated[
        tuple[ArmName, ...], Field(max_length=10, description="Arms that an alert names.")
    ] = ()
    alerted: Annotated[str, Field(max_length=4096, description="Alerts that fire.")] = ""
    aborted: Annotated[str, Field(max_length=2048, description="Origin of the abort request.")] = ""
    lost: Annotated[str, Field(max_length=1024, description="Versions that no longer exist.")] = ""
    approved: Annotated[str, Field(max_length=1024, description="User that approved the promotion.")] = ""
    programmed: Annotated[bool, Field(description="Did every gateway have the table?")] = True
    table: Annotated[tuple[Slots, ...], Field(max_length=64, description="The slots of each arm.")] = ()
    salt: Annotated[str, Field(max_length=63, description="Salt of the hash.")] = ""
