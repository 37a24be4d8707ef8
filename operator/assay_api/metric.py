"""The metrics of an Experiment: what is counted for a unit, and what would be too bad."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.metric_source import SOURCE, PrometheusQuery, Source, SqlQuery
from assay_api.resource import Duration, Name, Resource, rules

ONE_SIZE = "say exactly one of absolute or relative"
GATEWAY_COUNTS_UNITS = "a Gateway metric is a Proportion of units; type must be Proportion"
SLOW_IS_SEEN_BY_THE_GATEWAY = "slowerThan needs source Gateway"
WINDOW_IS_FOR_EVENTS = "window, missing and aggregate need source Events"
CAP_IS_FOR_MEANS = "cap needs type Mean"
CAP_NEEDS_VALUES = "cap needs source Events; another source caps in its query"
PROMETHEUS_ASKS = "source Prometheus needs prometheus, and no other source may have it"
SQL_ASKS = "source SQL needs sql, and no other source may have it"
MEANS_NEED_SQUARES = "a Mean of Prometheus needs prometheus.sumOfSquares"
NOTHING_IS_MISSING = "a Gateway metric counts every exposed unit; missing must be Zero"
BAD_IS_COUNTED = "a Gateway metric counts bad units; direction must be Decrease"

_ONE_SIZE = rules({"has(self.absolute) != has(self.relative)": ONE_SIZE})


class Size(Resource):
    """An effect, absolute or as a share of the control's value."""

    model_config = ConfigDict(json_schema_extra=_ONE_SIZE)

    absolute: Annotated[
        float | None, Field(gt=0, description="In units of the metric: 0.01 is one point.")
    ] = None
    relative: Annotated[
        float | None, Field(gt=0, le=10, description="As a share of the control's value.")
    ] = None

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if (self.absolute is None) == (self.relative is None):
            raise ValueError(ONE_SIZE)
        return self


_METRIC_RULES = {
    "self.source != 'Gateway' || self.type == 'Proportion'": GATEWAY_COUNTS_UNITS,
    "self.source == 'Gateway' || !has(self.slowerThan)": SLOW_IS_SEEN_BY_THE_GATEWAY,
    "self.source == 'Events' || !has(self.window)": WINDOW_IS_FOR_EVENTS,
    "self.source != 'Gateway' || self.direction == 'Decrease'": BAD_IS_COUNTED,
    "self.source != 'Gateway' || self.missing == 'Zero'": NOTHING_IS_MISSING,
    "self.type == 'Mean' || !has(self.cap)": CAP_IS_FOR_MEANS,
    "self.source == 'Events' || !has(self.cap)": CAP_NEEDS_VALUES,
    "(self.source == 'Prometheus') == has(self.prometheus)": PROMETHEUS_ASKS,
    "(self.source == 'SQL') == has(self.sql)": SQL_ASKS,
    "self.type != 'Mean' || !has(self.prometheus) || has(self.prometheus.sumOfSquares)": MEANS_NEED_SQUARES,
}


class Metric(Resource):
    """One number for each unit."""

    model_config = ConfigDict(json_schema_extra=rules(_METRIC_RULES))

    name: Name
    type: Annotated[
        Literal["Proportion", "Mean"],
        Field(description="Proportion: 0 or 1 for a unit. Mean: any number for a unit."),
    ] = "Proportion"
    source: Annotated[Source, SOURCE] = "Events"
    prometheus: Annotated[PrometheusQuery | None, Field(description="What to ask, of Prometheus.")] = None
    sql: Annotated[SqlQuery | None, Field(description="What to ask, of a database.")] = None
    direction: Annotated[Literal["Increase", "Decrease"], Field(description="Which way is better.")] = (
        "Increase"
    )
    window: Annotated[
        Duration | None,
        Field(
            description="Outcomes count until this long after the unit's first exposure. Absent: whenever."
        ),
    ] = None
    missing: Annotated[
        Literal["Zero", "Ignore"],
        Field(
            description="What a unit without an outcome is: Zero counts it as 0 once its window has closed "
            "(a purchase that never came); Ignore leaves it out (a label that is not known yet)."
        ),
    ] = "Zero"
    aggregate: Annotated[
        Literal["Any", "First", "Last", "Sum", "Max"] | None,
        Field(
            description="What several outcomes of a unit become. Default: Any of a Proportion, Sum of a Mean."
        ),
    ] = None
    cap: Annotated[
        float | None, Field(gt=0, description="Values above count as this much, in every arm (winsorizing).")
    ] = None
    slower_than: Annotated[
        Duration | None,
        Field(description="Count units with an answer slower than this; absent: units with an error."),
    ] = None
    baseline: Annotated[
        float | None,
        Field(description="The value expected of the control; plans the sample size and the test."),
    ] = None
    deviation: Annotated[
        float | None, Field(gt=0, description="Standard deviation expected of a Mean; plans the sample size.")
    ] = None

    @property
    def query(self) -> PrometheusQuery | SqlQuery | None:
        """What to ask, if somebody else than the collector counts."""
        return self.prometheus or self.sql

    @property
    def counts_every_unit(self) -> bool:
        """Whether each unit that was enrolled is in the counts, so that the declared split is theirs too."""
        return self.query is None and self.missing == "Zero"

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        gateway, means = self.source == "Gateway", self.type == "Mean"
        squares = self.prometheus is None or self.prometheus.sum_of_squares is not None
        for holds, message in (
            (not gateway or self.type == "Proportion", GATEWAY_COUNTS_UNITS),
            (gateway or self.slower_than is None, SLOW_IS_SEEN_BY_THE_GATEWAY),
            (self.source == "Events" or self.window is None, WINDOW_IS_FOR_EVENTS),
            (not gateway or self.direction == "Decrease", BAD_IS_COUNTED),
            (not gateway or self.missing == "Zero", NOTHING_IS_MISSING),
            (means or self.cap is None, CAP_IS_FOR_MEANS),
            (self.source == "Events" or self.cap is None, CAP_NEEDS_VALUES),
            ((self.source == "Prometheus") == (self.prometheus is not None), PROMETHEUS_ASKS),
            ((self.source == "SQL") == (self.sql is not None), SQL_ASKS),
            (not means or squares, MEANS_NEED_SQUARES),
        ):
            if not holds:
                raise ValueError(message)
        return self


class Primary(Metric):
    """The metric that decides the win."""

    minimum_effect: Annotated[
        Size | None, Field(description="The smallest effect that matters; plans the sample size.")
    ] = None


class Guardrail(Metric):
    """A metric that may not get worse by more than its margin."""

    direction: Annotated[Literal["Increase", "Decrease"], Field(description="Which way is better.")] = (
        "Decrease"
    )
    source: Annotated[Source, SOURCE] = "Gateway"
    margin: Annotated[Size, Field(description="How much worse is still bearable.")]


UNIQUE_METRICS = "metrics must have different names"


class Metrics(Resource):
    """What decides the win, what may not get worse, and what is only reported."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "(has(self.primary) ? [self.primary.name] : []).map(n, n)"
                ".all(n, self.guardrails.all(g, g.name != n) && self.secondary.all(s, s.name != n))"
                " && self.guardrails.all(g, self.guardrails.exists_one(h, h.name == g.name)"
                " && self.secondary.all(s, s.name != g.name))"
                " && self.secondary.all(s, self.secondary.exists_one(t, t.name == s.name))": UNIQUE_METRICS
            }
        )
    )

    primary: Annotated[
        Primary | None,
        Field(description="Absent: a safe rollout, promoted when every guardrail is shown to hold."),
    ] = None
    guardrails: Annotated[tuple[Guardrail, ...], Field(max_length=10)] = ()
    secondary: Annotated[tuple[Metric, ...], Field(max_length=10)] = ()

    @property
    def every(self) -> tuple[Metric, ...]:
        """Primary first, then guardrails, then the rest."""
        return (*((self.primary,) if self.primary else ()), *self.guardrails, *self.secondary)

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        names = [metric.name for metric in self.every]
        if len(set(names)) != len(names):
            raise ValueError(UNIQUE_METRICS)
        return self
