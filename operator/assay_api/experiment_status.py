"""The status of an `Experiment`: what the operator found and did, and the numbers behind it."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from assay_api.condition import Condition
from assay_api.evidence import Evidence, Peak, Slots, Span
from assay_api.resource import Observed, keyed_by


class ArmStatus(Observed):
    """What an arm gets and has seen."""

    name: Annotated[str, Field(description="Name of the arm.", max_length=63)]
    version: Annotated[str, Field(description="ModelVersion that the arm serves.", max_length=63)]
    share: Annotated[float, Field(description="Percent of all units.")] = 0
    units: Annotated[int, Field(description="Units that were answered under this arm.")] = 0


class Analysis(Observed):
    """One metric of one candidate against the control; valid whenever it is read."""

    metric: Annotated[str, Field(description="Name of the metric.", max_length=63)]
    arm: Annotated[str, Field(description="Name of the candidate arm.", max_length=63)]
    role: Annotated[
        Literal["Primary", "Guardrail", "Secondary"], Field(description="Role of the metric in the decision.")
    ]
    units: Annotated[int, Field(description="Sample size of control and candidate together.")] = 0
    control: Annotated[float | None, Field(description="The control's value.")] = None
    estimate: Annotated[float | None, Field(description="The candidate's value minus the control's.")] = None
    low: Annotated[
        float | None,
        Field(description="Lower bound of the confidence sequence of the estimate; none: not bounded yet."),
    ] = None
    high: Annotated[
        float | None,
        Field(description="Upper bound of the confidence sequence of the estimate; none: not bounded yet."),
    ] = None
    lift: Annotated[
        float | None,
        Field(description="Relative effect: the estimate over the control's value; 0.1 is 10% more."),
    ] = None
    lift_low: Annotated[
        float | None, Field(description="Lower bound of the confidence sequence of the relative effect.")
    ] = None
    lift_high: Annotated[
        float | None, Field(description="Upper bound of the confidence sequence of the relative effect.")
    ] = None
    p_value: Annotated[float | None, Field(description="Always valid: the smallest so far.")] = None
    log_evidence: Annotated[
        float | None, Field(description="The largest so far; decides at ln(1/alpha).")
    ] = None
    says: Annotated[str, Field(max_length=256, description="What it means, in words.")] = ""


class FrozenRule(Observed):
    """The test of one metric as it was chosen at the start; what its fields mean is in docs/statistics.md."""

    type: Annotated[Literal["Proportion", "Mean", "Ratio", "Cuped"], Field(description="Type of the metric.")]
    method: Annotated[
        Literal["AsymptoticCS", "BetaBinomial", "ExactMargin"], Field(description="Statistical method.")
    ]
    alpha: Annotated[float, Field(description="Type I error rate over all looks.")]
    direction: Annotated[Literal["Increase", "Decrease"], Field(description="Direction of improvement.")] = (
        "Increase"
    )
    n_star: Annotated[
        float, Field(description="Sample size at which the confidence sequence is tightest.")
    ] = 5000.0
    concentration: Annotated[float, Field(description="Concentration of the beta mixture.")] = 100.0
    count: Annotated[
        Literal["Events", "NonEvents"] | None,
        Field(description="Outcomes that the beta-binomial test counts."),
    ] = None
    floor_units: Annotated[int, Field(description="Minimum sample size per arm for a decision.")] = 100
    floor_events: Annotated[
        int, Field(description="Minimum events and non-events per arm for a decision.")
    ] = 10
    relative: Annotated[float | None, Field(description="Relative non-inferiority margin.")] = None
    absolute: Annotated[float | None, Field(description="Absolute non-inferiority margin.")] = None
    guardrails: Annotated[
        int | None, Field(description="Guardrails that share the type I error rate (Bonferroni).")
    ] = None


class FrozenLag(Observed):
    """From which age on the units of a metric decide."""

    seconds: Annotated[float, Field(ge=0, description="Age; holds until a shorter one is learned.")]
    learned: Annotated[bool, Field(description="Is a shorter one learned from how late outcomes arrive?")] = (
        False
    )


class Baseline(Observed):
    """The level of the primary metric that the plan is made for."""

    value: Annotated[float, Field(description="Expected value of the control.")]
    deviation: Annotated[float | None, Field(description="Expected standard deviation of a Mean.")] = None
    source: Annotated[
        Literal["Spec", "History"],
        Field(description="Spec: baseline of the metric. History: learned from an earlier Experiment."),
    ]
    experiment: Annotated[
        str, Field(max_length=63, description="The Experiment that it was learned from.")
    ] = ""
    version: Annotated[str, Field(max_length=63, description="The version whose level it is.")] = ""
    began: Annotated[datetime | None, Field(alias="from", description="When the first unit came.")] = None
    ended: Annotated[datetime | None, Field(alias="to", description="When the last unit came.")] = None
    units: Annotated[int, Field(ge=0, description="Sample size that it was learned from.")] = 0


class Forecast(Observed):
    """How many units the minimum effect needs, and when they will be there."""

    units: Annotated[
        dict[str, int], Field(max_length=10, description="Planned sample size, by arm; empty: not planned.")
    ] = {}
    missing: Annotated[
        dict[str, int], Field(max_length=10, description="Still to come of them, by arm.")
    ] = {}
    effect: Annotated[
        float | None, Field(description="Difference that is planned for; has the sign of what is better.")
    ] = None
    baseline: Annotated[Baseline | None, Field(description="Level that is planned for.")] = None
    units_per_day: Annotated[float | None, Field(description="New units, in the present step.")] = None
    eta: Annotated[
        datetime | None, Field(description="When the planned units will be there at the present rate.")
    ] = None
    message: Annotated[str, Field(max_length=1024, description="All of this in words.")] = ""


class AnalysisPlan(Observed):
    """What was fixed before the first unit came."""

    units_per_arm: Annotated[
        int | None, Field(description="Planned for the minimum effect at the wanted power.")
    ] = None
    units: Annotated[dict[str, int], Field(max_length=10, description="The same, by arm.")] = {}
    effect: Annotated[float | None, Field(description="The minimum effect, absolute and signed.")] = None
    baseline: Annotated[Baseline | None, Field(description="Level that was planned for.")] = None
    settle_seconds: Annotated[
        float, Field(description="When every request of a unit has ended, and its ratio can be judged.")
    ] = 32
    lags: Annotated[
        dict[str, FrozenLag],
        Field(max_length=32, description="Of metrics whose outcomes may come at any time, by name."),
    ] = {}
    rules: Annotated[
        dict[str, FrozenRule], Field(max_length=32, description="The test of each metric, frozen.")
    ] = {}


class Counted(Observed):
    """The most that was counted of one metric of one arm; a source that says less has begun anew."""

    metric: Annotated[str, Field(max_length=63, description="Name of the metric.")]
    arm: Annotated[str, Field(max_length=63, description="Name of the arm.")]
    units: Annotated[int, Field(ge=0, description="Units.")] = 0
    events: Annotated[float, Field(description="Events, where they are a counter of Prometheus.")] = 0


class ExperimentState(Observed):
    """What the operator must remember of a running Experiment; only the operator reads it."""

    schema_version: Annotated[Literal[1], Field(description="Version of this block's schema.")] = 1
    step_started_at: Annotated[datetime | None, Field(description="When the present step began.")] = None
    epoch: Annotated[int, Field(ge=0, description="Counts the changes of the table.")] = 0
    step_units: Annotated[int, Field(ge=0, description="Units of all arms when the step began.")] = 0
    levels: Annotated[
        dict[str, Annotated[tuple[float, ...], Field(max_length=4)]],
        Field(
            max_length=10,
            description="At the end: sums of the primary metric by arm; later plans learn from them.",
        ),
    ] = {}
    salt: Annotated[str, Field(max_length=63, description="Salt of the hash.")] = ""
    slots: Annotated[
        Span | None, Field(description="Its part of the layer, until every gateway has let go of it.")
    ] = None
    table: Annotated[
        tuple[Slots, ...], Field(max_length=64, description="The slots of each arm; empty: control for all.")
    ] = ()
    plan: Annotated[AnalysisPlan | None, Field(description="What was fixed at the start.")] = None
    peaks: Annotated[
        tuple[Peak, ...], Field(max_length=250, description="The largest log evidence so far.")
    ] = ()
    counted: Annotated[
        tuple[Counted, ...], Field(max_length=250, description="The most that was counted so far.")
    ] = ()
    srm_log_evidence: Annotated[
        float, Field(description="Log evidence against the declared split; the largest so far.")
    ] = 0
    dropped: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(max_length=10, description="Arms that were dropped; their units see the control's version."),
    ] = ()


class Checks(Observed):
    """May the numbers be trusted?"""

    srm: Annotated[
        str, Field(max_length=256, description="Sample ratio: do the arms have the share they should?")
    ] = ""
    srm_p_value: Annotated[
        float | None, Field(description="Of the declared split; always valid. None: not checked yet.")
    ] = None
    data_age_seconds: Annotated[float | None, Field(description="Age of the newest data at this look.")] = (
        None
    )
    audit_mismatches: Annotated[int, Field(ge=0, description="Exposures under another arm.")] = 0
    audit: Annotated[
        str, Field(max_length=256, description="Assignment: does every exposure stand where it should?")
    ] = ""
    freshness: Annotated[str, Field(max_length=256, description="Age of the newest data.")] = ""
    sources: Annotated[
        str,
        Field(max_length=1024, description="Metrics without data or without any outcome, with the reason."),
    ] = ""
    unknown_metrics: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(
            max_length=20,
            description="Metrics that outcomes name and no Experiment of the Model declares: not counted.",
        ),
    ] = ()
    maturity: Annotated[
        str,
        Field(
            max_length=1024,
            description="Age from which on units of metrics without a window decide, and what is not known.",
        ),
    ] = ""
    crossover_units: Annotated[int, Field(ge=0, description="Units in more than one arm; excluded.")] = 0
    bot_units: Annotated[int, Field(ge=0, description="Units with too many requests (bots); excluded.")] = 0
    duplicate_exposures: Annotated[int, Field(ge=0, description="Duplicate exposures; counted once.")] = 0
    orphan_outcomes: Annotated[int, Field(ge=0, description="Of units in no arm.")] = 0
    late_outcomes: Annotated[int, Field(ge=0, description="After their window or the end.")] = 0


class Verdict(Observed):
    """How it ended, and the numbers from which it follows."""

    verdict: Annotated[
        Literal["Promote", "RollBack", "Invalidate", "Conclude", "Abort"], Field(description="Decision.")
    ]
    reason: Annotated[str, Field(description="Reason of the decision, in CamelCase.", max_length=128)]
    message: Annotated[str, Field(description="Details of the decision, for people.", max_length=2048)]
    at: Annotated[datetime, Field(description="Time of the decision.")]
    winner: Annotated[
        str | None, Field(max_length=63, description="The version that serves on, when promoted.")
    ] = None
    evidence: Annotated[
        Evidence | None, Field(description="Everything the verdict was computed from; none: no numbers.")
    ] = None


class ExperimentStatus(Observed):
    """What the operator found and did; never an instruction."""

    observed_generation: Annotated[
        int, Field(description="Generation of the spec that the status is about.", ge=0)
    ] = 0
    phase: Annotated[str, Field(max_length=63, description="For people; programs read the conditions.")] = ""
    started_at: Annotated[
        datetime | None, Field(description="Time at which the first unit could be enrolled.")
    ] = None
    step: Annotated[int, Field(ge=0, description="Index into the ramp.")] = 0
    arms: Annotated[
        tuple[ArmStatus, ...], Field(description="Traffic and sample size of each arm.", max_length=10)
    ] = ()
    analysis: Annotated[
        tuple[Analysis, ...], Field(description="Statistics of each metric and candidate.", max_length=250)
    ] = ()
    plan: Annotated[
        Forecast | None, Field(description="Sample size that the minimum effect needs, and when it is there.")
    ] = None
    checks: Checks | None = None
    decision: Annotated[
        Verdict | None, Field(description="Decision that ended the Experiment, and its evidence.")
    ] = None
    state: Annotated[ExperimentState, Field(description="What the operator must remember.")] = (
        ExperimentState()
    )
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Conditions, as kubectl and kstatus read them.",
            max_length=16,
            json_schema_extra=keyed_by("type"),
        ),
    ] = ()
