"""How the versions of a Model are served: how many pods, how large, what is counted of their rows."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from assay_api.data import SecretRef
from assay_api.resource import Duration, Resource, rules

QUANTITY = "^[0-9]+(\\.[0-9]+)?(m|k|M|G|Ki|Mi|Gi)?$"
MOST_NOT_LESS = "maxReplicas must not be less than replicas"
CPU_NEEDS_A_REQUEST = "to scale by CPU, resources.requests.cpu must say what 100% is"

Quantity = Annotated[str, Field(max_length=20, pattern=QUANTITY)]


class Amounts(Resource):
    """Amounts of CPU and memory."""

    cpu: Quantity | None = None
    memory: Quantity | None = None


class Resources(Resource):
    """What a predictor asks for and may use."""

    requests: Amounts = Amounts(cpu="250m", memory="256Mi")
    limits: Amounts = Amounts(memory="1Gi")


class Scaling(Resource):
    """When there are more pods than `replicas`."""

    cpu: Annotated[
        int, Field(ge=10, le=1000, description="Percent of the requested CPU that pods use on average.")
    ] = 70
    in_flight: Annotated[
        int | None,
        Field(
            ge=1,
            le=100_000,
            description="Requests that a pod answers at a time, on average; needs an adapter that serves "
            "assay_requests_in_flight as a metric of pods.",
        ),
    ] = None
    down_after: Annotated[
        Duration, Field(description="Fewer pods only after so much time without need of more.")
    ] = "5m"


class Capture(Resource):
    """What is counted of rows and predictions, for drift. Counts leave a pod, values never do."""

    sample: Annotated[float, Field(gt=0, le=1, description="Share of the rows that are counted.")] = 1.0
    exclude: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=253)], ...],
        Field(max_length=500, description="Columns of which nothing is counted."),
    ] = ()
    interval: Annotated[Duration, Field(description="How often a pod sends its counts.")] = "1m"


class Serving(Resource):
    """How versions are served."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            {
                "!has(self.maxReplicas) || self.maxReplicas >= self.replicas": MOST_NOT_LESS,
                "!has(self.maxReplicas) || has(self.resources.requests.cpu)": CPU_NEEDS_A_REQUEST,
            }
        )
    )

    replicas: Annotated[int, Field(ge=1, le=100, description="Pods of a version, or the fewest of them.")] = 1
    max_replicas: Annotated[
        int | None,
        Field(ge=1, le=1000, description="The most pods; when absent there are always `replicas`."),
    ] = None
    scaling: Scaling = Scaling()
    resources: Resources = Resources()
    capture: Annotated[Capture | None, Field(description="Count rows for drift; when absent nothing is.")] = (
        None
    )
    service_account_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Whose cloud identity reads the artifact; the administrator must have listed it. "
            "Its token is not mounted.",
        ),
    ] = None
    secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Credentials of the artifact's store, as its clients read them from the "
            "environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the like."
        ),
    ] = None
    timeout: Annotated[Duration, Field(description="The gateway gives up on an answer after this.")] = "30s"
    retry_executed: Annotated[
        bool,
        Field(
            description="May the champion answer again what a candidate has failed? "
            "Say false if a prediction has side effects."
        ),
    ] = True

    @property
    def scales(self) -> bool:
        """Whether the number of pods depends on their load."""
        return self.max_replicas is not None and self.max_replicas > self.replicas

    @model_validator(mode="after")
    def _same_rules_as_the_api_server(self) -> Self:
        if self.max_replicas is not None and self.max_replicas < self.replicas:
            raise ValueError(MOST_NOT_LESS)
        if self.max_replicas is not None and self.resources.requests.cpu is None:
            raise ValueError(CPU_NEEDS_A_REQUEST)
        return self
