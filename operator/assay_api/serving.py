"""How the versions of a Model are served: how many pods, how large, what is counted of their rows."""

import re
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field

from assay_api.data import Columns, SecretRef
from assay_api.duration import Damping, Interval, Timeout
from assay_api.resource import DnsName, Flag, Number, Resource, Whole
from assay_api.rule import Rule

QUANTITY = "^[0-9]{1,9}(\\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?$"
_SUFFIX = {
    "": Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000), "M": Decimal(1000**2), "G": Decimal(1000**3),
    "Ki": Decimal(1024), "Mi": Decimal(1024**2), "Gi": Decimal(1024**3),
}  # fmt: skip

Quantity = Annotated[str, Field(max_length=20, pattern=QUANTITY)]


def _amount(text: str) -> Decimal:
    """Return what a quantity of Kubernetes says.

    >>> _amount("250m"), _amount("1.5Gi")
    (Decimal('0.250'), Decimal('1610612736.0'))
    """
    found = re.fullmatch(r"([0-9.]+)([a-zA-Z]*)", text)
    assert found is not None
    return Decimal(found[1]) * _SUFFIX[found[2]]


def _within(kind: str) -> Rule:
    requested, most = f"self.requests.{kind}", f"self.limits.{kind}"

    def holds(resources: Any) -> bool:
        request, limit = getattr(resources.requests, kind), getattr(resources.limits, kind)
        return request is None or limit is None or _amount(request) <= _amount(limit)

    return Rule(
        f"!has({requested}) || !has({most}) || quantity({requested}).compareTo(quantity({most})) <= 0",
        f"requests.{kind} must not exceed limits.{kind}; lower the one or raise the other",
        holds,
        f".requests.{kind}",
    )


MOST_NOT_LESS = Rule(
    "!has(self.maxReplicas) || self.maxReplicas >= self.replicas",
    "maxReplicas must not be less than replicas",
    lambda serving: serving.max_replicas is None or serving.max_replicas >= serving.replicas,
    ".maxReplicas",
)
CPU_NEEDS_A_REQUEST = Rule(
    "!has(self.maxReplicas) || has(self.resources.requests.cpu)",
    "to scale by CPU, resources.requests.cpu must say what 100% is",
    lambda serving: serving.max_replicas is None or serving.resources.requests.cpu is not None,
    ".resources.requests",
)


class Amounts(Resource):
    """Amounts of CPU and memory."""

    cpu: Annotated[Quantity | None, Field(description="CPU, as 500m or 2.")] = None
    memory: Annotated[Quantity | None, Field(description="Memory, as 512Mi.")] = None


class Resources(Resource):
    """Compute resources of a predictor."""

    RULES: ClassVar = (_within("cpu"), _within("memory"))

    requests: Annotated[Amounts, Field(description="Resources that the scheduler reserves.")] = Amounts(
        cpu="250m", memory="256Mi"
    )
    limits: Annotated[Amounts, Field(description="Resources that a pod may use at most.")] = Amounts(
        memory="1Gi"
    )


class Scaling(Resource):
    """When there are more pods than `replicas`."""

    cpu: Annotated[
        Whole,
        Field(ge=10, le=1000, description="Target CPU utilization of the pods, in percent of the request."),
    ] = 70
    in_flight: Annotated[
        Whole | None,
        Field(
            ge=1,
            le=100_000,
            description="Target number of concurrent requests per pod; needs an adapter that serves "
            "assay_requests_in_flight as a metric of pods.",
        ),
    ] = None
    down_after: Annotated[
        Damping, Field(description="Stabilization window before pods are removed; at most 1h.")
    ] = "5m"


class Capture(Resource):
    """What is counted of rows and predictions, for drift. Counts leave a pod, values never do."""

    sample: Annotated[Number, Field(gt=0, le=1, description="Fraction of the rows that are counted.")] = 1.0
    exclude: Annotated[Columns, Field(description="Columns of which nothing is counted.")] = ()
    interval: Annotated[Interval, Field(description="Interval at which a pod sends its counts.")] = "1m"


class Serving(Resource):
    """How versions are served."""

    RULES: ClassVar = (MOST_NOT_LESS, CPU_NEEDS_A_REQUEST)

    replicas: Annotated[
        Whole, Field(ge=1, le=100, description="Pods of a version, or the fewest of them.")
    ] = 1
    max_replicas: Annotated[
        Whole | None,
        Field(ge=1, le=1000, description="Most pods; absent: always as many as replicas."),
    ] = None
    scaling: Annotated[Scaling, Field(description="Autoscaling between replicas and maxReplicas.")] = (
        Scaling()
    )
    resources: Annotated[Resources, Field(description="Compute resources of each pod.")] = Resources()
    capture: Annotated[
        Capture | None, Field(description="Counting of rows and predictions for drift; absent: off.")
    ] = None
    service_account_name: Annotated[
        DnsName | None,
        Field(
            description="ServiceAccount whose cloud identity reads the artifact; the administrator must have "
            "listed it. Its token is not mounted.",
        ),
    ] = None
    secret_ref: Annotated[
        SecretRef | None,
        Field(
            description="Credentials of the artifact's store, as its clients read them from the "
            "environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and the like."
        ),
    ] = None
    timeout: Annotated[Timeout, Field(description="Request timeout at the gateway, from 1ms to 1h.")] = "30s"
    retry_executed: Annotated[
        Flag,
        Field(
            description="Whether the champion may answer again what a candidate has failed. "
            "false if a prediction has side effects."
        ),
    ] = True

    @property
    def scales(self) -> bool:
        """Whether the number of pods depends on their load."""
        return self.max_replicas is not None and self.max_replicas > self.replicas
