"""The `training.worker` block of a Model: where its training runs, and with what."""

from typing import Annotated, Literal

from pydantic import Field

from assay_api.resource import Resource

ResourceName = Annotated[str, Field(max_length=253)]
Amount = Annotated[str, Field(max_length=20, pattern="^[0-9]+(\\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Label = Annotated[str, Field(max_length=63)]


class WorkerResources(Resource):
    """What a worker asks for and may use: cpu, memory, ephemeral-storage, and devices as nvidia.com/gpu."""

    requests: Annotated[dict[ResourceName, Amount], Field(max_length=10)] = {}
    limits: Annotated[dict[ResourceName, Amount], Field(max_length=10)] = {}


class Toleration(Resource):
    """A taint of nodes that workers bear."""

    key: Annotated[str | None, Field(max_length=316)] = None
    operator: Literal["Exists", "Equal"] = "Equal"
    value: Annotated[str | None, Field(max_length=63)] = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    toleration_seconds: Annotated[int | None, Field(ge=0)] = None


class Worker(Resource):
    """Where workers run, and with what."""

    resources: WorkerResources = WorkerResources()
    node_selector: Annotated[dict[Annotated[str, Field(max_length=316)], Label], Field(max_length=32)] = {}
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    service_account_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Whose cloud identity reads the data. Its token is not mounted.",
        ),
    ] = None
    priority_class_name: Annotated[str | None, Field(max_length=253)] = None
