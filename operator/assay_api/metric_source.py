"""Metrics that somebody else counts: a query, and how often to ask it."""

from typing import Annotated, ClassVar, Literal

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


class Query(Resource):
    """What somebody else is asked.

    Attributes:
        TEXTS: Its fields that are texts of the query, and count towards the size.
        MEAN: The field that a Mean needs; empty if none.
        COUNTER: Whether the events of a Proportion are a counter, which never falls.
    """

    TEXTS: ClassVar[tuple[str, ...]]
    MEAN: ClassVar[str] = ""
    COUNTER: ClassVar[bool] = False

    every: Every = "1m"

    @property
    def size(self) -> int:
        """Bytes of its texts."""
        return sum(len((getattr(self, text) or "").encode()) for text in self.TEXTS)


class PrometheusQuery(Query):
    """Instant queries, each with one series for each arm, told apart by the label `arm`.

    `$uid`, `$experiment`, `$namespace`, `$model` and `$elapsed` (since the start, as `3600s`) are replaced.
    """

    TEXTS: ClassVar = ("count", "sum", "sum_of_squares")
    MEAN: ClassVar = "sum_of_squares"
    COUNTER: ClassVar = True

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


class SqlQuery(Query):
    """A query with a row for each arm.

    `:uid`, `:experiment`, `:namespace`, `:model` and `:started_at` are parameters.
    """

    TEXTS: ClassVar = ("query",)

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


QUERIES: dict[str, type[Query]] = {"Prometheus": PrometheusQuery, "SQL": SqlQuery}
"""By source; a metric has the query in the field of that name in lower case."""
