"""Metrics that somebody else counts: a query, and how often to ask it."""

from typing import Annotated, Literal

from pydantic import Field

from assay_api.data import QueryText, SecretKeyRef
from assay_api.duration import Polling
from assay_api.resource import LINES, MOST, Number, Resource

SourceName = Literal["Events", "Gateway", "Prometheus", "SQL"]
SOURCE = Field(
    description="Source of the observations. Events: outcomes sent to the collector. Gateway: answers, as "
    "the gateway saw them. Prometheus, SQL: sums for each arm, from a query."
)
Every = Annotated[Polling, Field(description="Polling interval; at least 5s.")]
PromQL = Annotated[str, Field(min_length=1, max_length=4096, pattern=LINES)]


class PrometheusQuery(Resource):
    """Instant queries, each with one series for each arm, told apart by the label `arm`.

    `$uid`, `$experiment`, `$namespace`, `$model` and `$elapsed` (since the start, as `3600s`) are replaced.
    """

    count: Annotated[PromQL, Field(description="Query of the number of units of each arm.")]
    sum: Annotated[
        PromQL,
        Field(
            description="Query of the sum of the units' values; an arm without a series has no data. Say "
            "`or 0 * (COUNT)` where it means 0."
        ),
    ]
    sum_of_squares: Annotated[
        PromQL | None, Field(description="Query of the sum of their squares; for a Mean.")
    ] = None
    shift: Annotated[
        Number,
        Field(
            ge=-MOST,
            le=MOST,
            description="What was subtracted from every value before it was summed: keeps the spread of a "
            "Mean that is large beside it.",
        ),
    ] = 0.0
    every: Every = "30s"

    @property
    def size(self) -> int:
        """Bytes of the queries."""
        return len((self.count + self.sum + (self.sum_of_squares or "")).encode())


class SqlQuery(Resource):
    """A query with a row for each arm.

    `:uid`, `:experiment`, `:namespace`, `:model` and `:started_at` are parameters.
    """

    url_secret_ref: Annotated[
        SecretKeyRef,
        Field(description="Where the SQLAlchemy URL is, as postgresql+psycopg://user:password@host/name."),
    ]
    query: Annotated[
        QueryText,
        Field(
            description="Returns the columns arm, n, sum and, for a Mean, variance (or sumsq, and shift "
            "where the sums are of value - shift)."
        ),
    ]
    every: Every = "1m"

    @property
    def size(self) -> int:
        """Bytes of the query."""
        return len(self.query.encode())
