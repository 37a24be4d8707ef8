"""The only room that talks to the API server."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from assay_api import API_VERSION, Ref
from assay_api.names import MODEL as OF_MODEL
from assay_api.names import ROLE

Body = Mapping[str, Any]


class Kind(NamedTuple):
    """A kind of object; `label` is what ours carry, and all that we watch of it."""

    api_version: str
    kind: str
    plural: str
    label: str | None = None


MODEL = Kind(API_VERSION, "Model", "models")
VERSION = Kind(API_VERSION, "ModelVersion", "modelversions")
EXPERIMENT = Kind(API_VERSION, "Experiment", "experiments")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", OF_MODEL)
JOB = Kind("batch/v1", "Job", "jobs", OF_MODEL)
POD = Kind("v1", "Pod", "pods", ROLE)
SERVICE = Kind("v1", "Service", "services", OF_MODEL)
SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", OF_MODEL)
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", OF_MODEL)
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", OF_MODEL)
BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", OF_MODEL)
EVERY = (MODEL, VERSION, EXPERIMENT, DEPLOYMENT, JOB, POD, SERVICE, SLICE, CLAIM, AUTOSCALER, BUDGET)


class Refused(Exception):  # noqa: N818  it reads as a sentence: the API server refused
    """The API server said no: quota, permission, or a field it does not take."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the HTTP status and the API server's own words."""
        super().__init__(message)
        self.status = status


class Leaving(Refused):
    """The namespace is being deleted, or gone: nothing new is made there, and nothing has to be."""


class Cluster(Protocol):
    """What the operator needs from Kubernetes; tests pass a fake.

    Applies are server-side, under our own field manager: idempotent, safe to repeat. All raise
    `Refused` for an answer of 4xx, and whatever the client raises when nobody answers.
    """

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        """Return every object of a kind (that carries its label) and the list's resourceVersion."""

    async def apply(self, manifest: Body, *, manager: str = "assay-operator") -> Body:
        """Create the object, or make our fields of it look like `manifest`; return it.

        Fields belong to the `manager` that applied them: what it leaves out next time goes away.
        """

    async def apply_status(self, manifest: Body, *, manager: str = "assay-operator") -> Body:
        """Do the same to its `status` subresource."""

    async def create(self, manifest: Body) -> Body | None:
        """Create the object; None if there is one of that name."""

    async def secret(self, ref: Ref, key: str) -> str:
        """Return one value of a Secret; `Refused` with 404 if there is no such key."""

    async def delete(self, kind: Kind, ref: Ref) -> None:
        """Delete the object and, in the background, what it owns; gone already is fine."""
