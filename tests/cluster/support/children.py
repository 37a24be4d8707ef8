"""The children of a Model: their kinds and names, how each comes to be, and what of it is put right."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from api_objects import Body, Objects, until

from assay_api.names import (
    claim_name,
    experiment_name,
    predictor_name,
    trainer_name,
    version_name,
)

MODEL = "churn"
FIRST, SECOND = version_name(MODEL, 1), version_name(MODEL, 2)
TOKEN_SECRET = "assay-predictor"  # one for all Models of a namespace
SERVING = {"replicas": 2, "maxReplicas": 4, "capture": {}}
TEMPLATE = {
    "ramp": [{"percent": 50, "minDuration": "1h"}],
    "metrics": {"guardrails": [{"name": "errors", "source": "Gateway", "margin": {"absolute": 0.02}}]},
    "decision": {"minDuration": "1d", "maxDuration": "28d"},
}
ROLLOUT = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": TEMPLATE}
SERVED: Body = {"image": {"image": "churn:1"}, "serving": SERVING, "rollout": ROLLOUT}
TRAINED: Body = {"training": {"data": {"uri": "http://lake/churn.csv", "target": "churn", "key": "id"}}}


@dataclass(frozen=True)
class Child:
    """One kind of object that a Model makes.

    Attributes:
        title: Of the test.
        kind: Of the object.
        name: Of the child of the Model `churn`.
        foreign: Everything beside the name of somebody else's object of this kind and name.
        spec: A Model's spec that needs it.
        grow: What has to happen until the Model makes it, beside its own creation.
        harm: A merge patch by hand of what is ours, to be put right; None where nothing can be changed.
        replaced: Whether one that was deleted is made again under the same name.
        parts: What may not change of a foreign one; all of it, unless users may bring their own.
    """

    title: str
    kind: str
    name: str
    foreign: Body
    spec: Body = field(default_factory=lambda: SERVED)
    grow: Callable[[Objects], None] = lambda _: None
    harm: Body | None = None
    replaced: bool = True
    parts: tuple[str, ...] = ()

    def strangers(self) -> Body:
        """Return somebody else's object of that name."""
        return {
            "kind": self.kind,
            "metadata": {"name": self.name, "labels": {"team": "other"}},
            **self.foreign,
        }


def model(spec: Body, name: str = MODEL) -> Body:
    """Return a Model."""
    return {"kind": "Model", "metadata": {"name": name}, "spec": spec}


def answer(objects: Objects, version: str, address: str = "10.1.0.1") -> None:
    """Let the version's pods be ready, as the controller of EndpointSlices writes it down."""
    name = predictor_name(version)
    service = until(lambda: objects.get("Service", name), f"the Service {name}")
    objects.create(
        {
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{version}-pods",
                "labels": service["metadata"]["labels"] | {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv4",
            "ports": [{"name": "http", "port": 3000, "protocol": "TCP"}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        }
    )


def start_experiment(objects: Objects) -> None:
    """Let the first version serve, and ask for another one."""
    answer(objects, FIRST)
    until(lambda: champion(objects) == FIRST, "the first champion")
    objects.patch("Model", MODEL, {"spec": {"image": {"image": "churn:2"}}})


def champion(objects: Objects, name: str = MODEL) -> str:
    """Return the version that a Model serves, empty if it serves none."""
    return str(((objects.get("Model", name) or {}).get("status") or {}).get("champion", ""))


def messages_of(objects: Objects, reason: str, name: str = MODEL) -> list[str]:
    """Return the messages of the Model's conditions that have this reason."""
    return [c["message"] for c in objects.conditions("Model", name) if c["reason"] == reason]


POD_TEMPLATE: Body = {
    "metadata": {"labels": {"app": "other"}},
    "spec": {"containers": [{"name": "main", "image": "other:1"}], "restartPolicy": "Always"},
}
SELECTOR = {"matchLabels": {"app": "other"}}
OTHER_SERVICE = {"spec": {"selector": {"app": "other"}, "ports": [{"name": "web", "port": 8443}]}}
OTHER_EXPERIMENT = {
    "modelRef": {"name": "elsewhere"},
    "arms": [
        {"name": "control", "version": "elsewhere-1", "weight": 50},
        {"name": "candidate", "version": "elsewhere-2", "weight": 50},
    ],
    **TEMPLATE,
}
OTHER_VERSION = {
    "modelRef": {"name": "elsewhere"},
    "number": 1,
    "source": {"image": {"image": "other:1"}},
    "sourceDigest": "sha256:" + "0" * 64,
}


def _container(change: Mapping[str, Any]) -> Body:
    return {"spec": {"template": {"spec": {"containers": [{"name": "predictor", **change}]}}}}


CHILDREN = (
    Child("version", "ModelVersion", FIRST, {"spec": OTHER_VERSION}, replaced=False, parts=("spec", "owner")),
    Child(
        "experiment",
        "Experiment",
        experiment_name(SECOND, 2),
        {"spec": OTHER_EXPERIMENT},
        grow=start_experiment,
        replaced=False,
        parts=("spec", "owner"),
    ),
    Child(
        "endpoint Service",
        "Service",
        MODEL,
        OTHER_SERVICE,
        harm={"spec": {"externalName": "elsewhere.example"}},
    ),
    Child(
        "predictor Service",
        "Service",
        predictor_name(FIRST),
        OTHER_SERVICE,
        harm={"spec": {"selector": {"assay.dev/version": "another"}}},
    ),
    Child(
        "predictor Deployment",
        "Deployment",
        predictor_name(FIRST),
        {"spec": {"replicas": 0, "selector": SELECTOR, "template": POD_TEMPLATE}},
        harm=_container({"image": "evil:1"}),
    ),
    Child(
        "autoscaler",
        "HorizontalPodAutoscaler",
        predictor_name(FIRST),
        {
            "spec": {
                "maxReplicas": 1,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"},
            }
        },
        harm={"spec": {"maxReplicas": 9}},
    ),
    Child(
        "disruption budget",
        "PodDisruptionBudget",
        predictor_name(FIRST),
        {"spec": {"maxUnavailable": 0, "selector": SELECTOR}},
        harm={"spec": {"maxUnavailable": 2}},
    ),
    Child(
        "volume claim",
        "PersistentVolumeClaim",
        claim_name(MODEL),
        {
            "spec": {
                "accessModes": ["ReadWriteMany"],
                "resources": {"requests": {"storage": "7Gi"}},
                "storageClassName": "other",
            }
        },
        harm={"metadata": {"labels": {"app.kubernetes.io/managed-by": "hand"}}},
    ),
    Child(
        "training Job",
        "Job",
        trainer_name(FIRST),
        {
            "spec": {
                "suspend": True,
                "template": {"spec": POD_TEMPLATE["spec"] | {"restartPolicy": "Never"}},
            }
        },
        spec=TRAINED,
    ),
    Child(
        "predictors' token",
        "Secret",
        TOKEN_SECRET,
        {"stringData": {"password": "swordfish"}},
        replaced=False,  # the operator may read no Secret, and writes this one again after ten minutes
    ),
)
