"""The registry of kinds: what the operator watches and makes, who owns it, and the rights that this takes.

The watch list, parsing, ownership and the chart's Role all follow from `KINDS`; a new kind is a new line.
"""

from dataclasses import dataclass
from typing import Literal

from assay_api import API_VERSION, Experiment, Model, ModelVersion
from assay_api.names import MODEL as MODEL_LABEL
from assay_api.names import ROLE

Verb = Literal["get", "list", "watch", "create", "patch", "delete"]
ApiType = type[Model] | type[ModelVersion] | type[Experiment]
WATCH: tuple[Verb, ...] = ("list", "watch")
CHILD: tuple[Verb, ...] = ("get", *WATCH, "create", "patch")


@dataclass(frozen=True)
class Kind:
    """A kind of object.

    Attributes:
        api_version: Group and version.
        kind: Its name.
        plural: As in URLs and RBAC rules.
        label: The label that ours carry; only objects with it are watched. None: all are.
        verbs: What the operator may do with it.
        status_verbs: What the operator may do with its status subresource.
        type: How its bodies are parsed; None for kinds of Kubernetes.
        watched: Whether it is cached.
        names: The only names that the verbs are needed for; none: every name.
    """

    api_version: str
    kind: str
    plural: str
    label: str | None = None
    verbs: tuple[Verb, ...] = CHILD
    status_verbs: tuple[Verb, ...] = ()
    type: ApiType | None = None
    watched: bool = True
    names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version within the group."""
        return self.api_version.rpartition("/")[2]


MODEL = Kind(API_VERSION, "Model", "models", verbs=("get", *WATCH), status_verbs=("patch",), type=Model)
VERSION = Kind(
    API_VERSION,
    "ModelVersion",
    "modelversions",
    verbs=("get", *WATCH, "create", "delete"),
    status_verbs=("patch",),
    type=ModelVersion,
)
EXPERIMENT = Kind(
    API_VERSION,
    "Experiment",
    "experiments",
    verbs=("get", *WATCH, "create", "patch", "delete"),  # patch: our finalizer
    status_verbs=("patch",),
    type=Experiment,
)
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments", MODEL_LABEL)
JOB = Kind("batch/v1", "Job", "jobs", MODEL_LABEL, verbs=(*CHILD, "delete"))
POD = Kind("v1", "Pod", "pods", ROLE, verbs=WATCH)
SERVICE = Kind("v1", "Service", "services", MODEL_LABEL)
SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", MODEL_LABEL, verbs=WATCH)
CLAIM = Kind("v1", "PersistentVolumeClaim", "persistentvolumeclaims", MODEL_LABEL)
AUTOSCALER = Kind(
    "autoscaling/v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    MODEL_LABEL,
    verbs=(*CHILD, "delete"),
)
BUDGET = Kind(
    "policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", MODEL_LABEL, verbs=(*CHILD, "delete")
)
TOKEN = Kind(
    "v1",
    "Secret",
    "secrets",
    verbs=("get", "create", "patch"),
    watched=False,
    names=("assay-predictor",),
)
EVENT = Kind("v1", "Event", "events", verbs=("create",), watched=False)

KINDS = (
    MODEL, VERSION, EXPERIMENT, DEPLOYMENT, JOB, POD, SERVICE, SLICE, CLAIM, AUTOSCALER, BUDGET, TOKEN, EVENT,
)  # fmt: skip
WATCHED = tuple(kind for kind in KINDS if kind.watched)
BY_NAME = {kind.kind: kind for kind in KINDS}


def rbac_rules() -> list[dict[str, list[str]]]:
    """Return the rules of the operator's Role: what follows from the registry, and nothing else."""
    rules = []
    for kind in KINDS:
        named = {"resourceNames": list(kind.names)} if kind.names else {}
        rules.append(
            {"apiGroups": [kind.group], "resources": [kind.plural], **named, "verbs": list(kind.verbs)}
        )
        if kind.status_verbs:
            status = [f"{kind.plural}/status"]
            verbs = list(kind.status_verbs)
            rules.append({"apiGroups": [kind.group], "resources": status, "verbs": verbs})
    return rules
