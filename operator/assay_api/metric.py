"""The metrics of an Experiment: what is counted for a unit, and what would be too bad."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from assay_api.duration import Pause, Timeout, Window
from assay_api.metric_rules import (
    GUARDRAIL_RULES,
    METRIC_RULES,
    METRICS_RULES,
    ONE_SIZE,
    PRIMARY_RULES,
)
from assay_api.metric_source import (
    QUERIES,
    SOURCE,
    PrometheusQuery,
    Query,
    SourceName,
    SqlQuery,
)
from assay_api.resource import MOST, Name, Number, Resource


class Size(Resource):
    """An effect or a margin, absolute or relative to the control's value."""

    RULES: ClassVar = (ONE_SIZE,)

    absolute: Annotated[
        Number | None,
        Field(
            ge=1e-9,
            le=MOST,
            description="Absolute size in units of the metric; 0.01 is one percent point.",
        ),
    ] = None
    relative: Annotated[
        Number | None, Field(ge=1e-6, le=10, description="Relative size: a fraction of the control's value.")
    ] = None


class Metric(Resource):
    """One number for each unit."""

    RULES: ClassVar = METRIC_RULES

    name: Annotated[Name, Field(description="Name of the metric; outcomes are reported under it.")]
    type: Annotated[
        Literal["Proportion", "Mean"],
        Field(description="Proportion: 0 or 1 for a unit. Mean: any number for a unit."),
    ] = "Proportion"
    source: Annotated[SourceName, SOURCE] = "Events"
    prometheus: Annotated[
        PrometheusQuery | None, Field(description="Queries of Prometheus, for source Prometheus.")
    ] = None
    sql: Annotated[SqlQuery | None, Field(description="Query of a database, for source SQL.")] = None
    direction: Annotated[Literal["Increase", "Decrease"], Field(description="Direction of improvement.")] = (
        "Increase"
    )
    window: Annotated[
        Window | None,
        Field(
            description="Attribution window: outcomes count until this long after the unit's first exposure. "
            "Absent: without bound."
        ),
    ] = None
    lag: Annotated[
        Pause | None,
        Field(
            description="Age of a unit from which on its outcomes have come, where there is no window: only "
            "units as old decide. At most 90d; 0s: outcomes come at once. Absent: learned from how late "
            "outcomes arrive."
        ),
    ] = None
    missing: Annotated[
        Literal["Zero", "Ignore"],
        Field(
            description="Treatment of units without an outcome. Zero: 0 once the window has closed (no "
            "purchase came). Ignore: left out (a label that is not known yet)."
        ),
    ] = "Zero"
    aggregate: Annotated[
        Literal["Any", "First", "Last", "Sum", "Max"] | None,
        Field(
            description="Aggregation of the outcomes of a unit. Default: Any of a Proportion, Sum of a Mean."
        ),
    ] = None
    cap: Annotated[
        Number | None,
        Field(ge=1e-9, le=MOST, description="Winsorization: values above count as this much, in every arm."),
    ] = None
    slower_than: Annotated[
        Timeout | None,
        Field(description="Count units with an answer slower than this; absent: units with an error."),
    ] = None
    baseline: Annotated[
        Number | None,
        Field(
            ge=-MOST,
            le=MOST,
            description="Expected value of the control; plans the sample size and the test. A Proportion: "
            "between 0 and 1.",
        ),
    ] = None
    deviation: Annotated[
        Number | None,
        Field(ge=1e-9, le=MOST, description="Expected standard deviation of a Mean; plans the sample size."),
    ] = None

    @property
    def query(self) -> Query | None:
        """What to ask, if somebody else than the collector counts."""
        return next((query for name in QUERIES if (query := getattr(self, name.lower()))), None)

    @property
    def unbounded(self) -> bool:
        """Whether units count as zeros at once, although an outcome may come at any time later.

        With a window a unit counts once it has closed; one that is ignored without an outcome is no zero.
        """
        return self.source == "Events" and self.missing == "Zero" and self.window is None

    @property
    def counts_every_unit(self) -> bool:
        """Whether each unit that was enrolled is in the counts, so that the declared split is theirs too."""
        return self.query is None and self.missing == "Zero"


class Primary(Metric):
    """The metric that decides the win."""

    RULES: ClassVar = PRIMARY_RULES

    minimum_effect: Annotated[
        Size | None, Field(description="Minimum detectable effect; plans the sample size.")
    ] = None


class Guardrail(Metric):
    """A metric that may not get worse by more than its margin."""

    RULES: ClassVar = GUARDRAIL_RULES

    direction: Annotated[Literal["Increase", "Decrease"], Field(description="Direction of improvement.")] = (
        "Decrease"
    )
    source: SourceName = Field(
        default_factory=lambda: (
            "Gateway"
        ),  # a factory is no default of the schema: SOURCE_IS_SAID sees the rest
        description=f"{SOURCE.description} Default: Gateway, for the name errors or with slowerThan; any "
        "other guardrail must name its source.",
    )
    margin: Annotated[Size, Field(description="Non-inferiority margin.")]


class Metrics(Resource):
    """What decides the win, what may not get worse, and what is only reported."""

    RULES: ClassVar = METRICS_RULES

    primary: Annotated[
        Primary | None,
        Field(
            description="Primary metric. Absent: a safe rollout, promoted when every guardrail is shown "
            "non-inferior."
        ),
    ] = None
    guardrails: Annotated[
        tuple[Guardrail, ...],
        Field(max_length=10, description="Guardrail metrics: harm rolls back, non-inferiority is required."),
    ] = ()
    secondary: Annotated[
        tuple[Metric, ...], Field(max_length=10, description="Secondary metrics: reported, decide nothing.")
    ] = ()

    @property
    def every(self) -> tuple[Metric, ...]:
        """Primary first, then guardrails, then the rest."""
        return (*((self.primary,) if self.primary else ()), *self.guardrails, *self.secondary)
