"""What a plan consists of: frozen values that the executor carries out, in this order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.experiment_status import ExperimentStatus
from assay_api.model import ModelStatus
from assay_api.names import OPERATOR
from assay_api.version import VersionStatus
from assay_operator.gateway import ModelRoute
from assay_operator.manifests import Manifest

Resource = Model | ModelVersion | Experiment
Status = ModelStatus | VersionStatus | ExperimentStatus


@dataclass(frozen=True)
class Child:
    """An object that shall be, as `manifest` says; its one controller is `owner_uid`."""

    manifest: Manifest
    owner_uid: str
    manager: str = OPERATOR


@dataclass(frozen=True)
class Removal:
    """An object that shall not be; it is deleted only if it is the one of that uid."""

    kind: str
    ref: Ref
    uid: str


@dataclass(frozen=True)
class StatusWrite:
    """A status that shall be.

    Attributes:
        resource: The object as it was gathered: the write fails if it has changed since.
        status: The whole new status.
        minor: Whether it differs by numbers that grow by themselves only; such a write may wait.
        stored: The status as it is stored, if it may not be understood: all of it stays, but for its
            generation and conditions.
    """

    resource: Resource
    status: Status
    minor: bool = False
    stored: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Definition:
    """What the collector counts for an Experiment."""

    uid: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Finalizer:
    """Whether an Experiment carries our finalizer.

    Attributes:
        experiment: The Experiment.
        present: Whether it shall have it.
        at_once: Whether it is taken away even if a gateway has not confirmed the route yet.
    """

    experiment: Experiment
    present: bool
    at_once: bool = False


@dataclass(frozen=True)
class Plan:
    """Everything that shall be, of one Model, and when to look again.

    Attributes:
        creations: Versions and Experiments that shall be made; they never change afterwards.
        finalizers: Experiments that get or lose their finalizer.
        definitions: For the collector, before anything is routed by them.
        route: What the gateways shall have of the Model.
        keep_route: Whether the route stays as it was published last; `route` says nothing then.
        children: Objects that shall be.
        removals: Objects that shall not be.
        statuses: At most one for each object.
        events: Events to be posted, idempotent by their names.
        again: Seconds until time alone may change this plan; None if it cannot.
    """

    creations: tuple[Child, ...] = ()
    finalizers: tuple[Finalizer, ...] = ()
    definitions: tuple[Definition, ...] = ()
    route: ModelRoute | None = None
    keep_route: bool = False
    children: tuple[Child, ...] = ()
    removals: tuple[Removal, ...] = ()
    statuses: tuple[StatusWrite, ...] = ()
    events: tuple[Manifest, ...] = field(default=())
    again: float | None = None


def removal(kind: str, body: Mapping[str, Any]) -> Removal:
    """Return the removal of a cached object."""
    metadata = body["metadata"]
    return Removal(kind, Ref(metadata["namespace"], metadata["name"]), metadata["uid"])
