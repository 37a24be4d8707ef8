"""The `training.worker` block of a Model: where its training runs, and with what."""

from typing import Annotated, Literal

from pydantic import Field

from assay_api.resource import DnsName, Resource, Whole

LABEL = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
QUALIFIED = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"

ResourceName = Annotated[str, Field(max_length=128)]
Amount = Annotated[str, Field(max_length=20, pattern="^[0-9]{1,9}(\\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Label = Annotated[str, Field(max_length=63, pattern=LABEL)]
Amounts = Annotated[dict[ResourceName, Amount], Field(max_length=10)]


class WorkerResources(Resource):
    """Compute resources of a worker: cpu, memory, ephemeral-storage, and devices such as nvidia.com/gpu."""

    requests: Annotated[Amounts, Field(description="Resources that the scheduler reserves.")] = {}
    limits: Annotated[Amounts, Field(description="Resources that a worker may use at most.")] = {}


class Toleration(Resource):
    """A toleration of the workers' pods, as in Kubernetes."""

    key: Annotated[
        str | None,
        Field(max_length=128, pattern=QUALIFIED, description="Taint key; absent: every key, with Exists."),
    ] = None
    operator: Annotated[
        Literal["Exists", "Equal"], Field(description="Relation of the key to the value.")
    ] = "Equal"
    value: Annotated[Label | None, Field(description="Taint value, for operator Equal.")] = None
    effect: Annotated[
        Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None,
        Field(description="Taint effect; absent: every effect."),
    ] = None
    toleration_seconds: Annotated[
        Whole | None,
        Field(
            ge=0, le=2**31 - 1, description="Seconds that a NoExecute taint is tolerated; absent: forever."
        ),
    ] = None


class Worker(Resource):
    """Scheduling and compute resources of the pods that train or evaluate."""

    resources: Annotated[WorkerResources, Field(description="Compute resources of each worker.")] = (
        WorkerResources()
    )
    node_selector: Annotated[
        dict[Annotated[str, Field(max_length=128)], Label],
        Field(max_length=16, description="Labels that a node must have."),
    ] = {}
    tolerations: Annotated[
        tuple[Toleration, ...], Field(max_length=16, description="Node taints that workers tolerate.")
    ] = ()
    service_account_name: Annotated[
        DnsName | None,
        Field(description="ServiceAccount whose cloud identity reads the data. Its token is not mounted."),
    ] = None
    priority_class_name: Annotated[
        DnsName | None, Field(description="PriorityClass of the workers' pods.")
    ] = None
