"""How many pods a version has: a number, or bounds and an autoscaler; and how they are kept apart."""

from assay_api import Model, ModelVersion
from assay_api.duration import seconds
from assay_api.names import ROLE, VERSION_OF, predictor_name
from assay_api.serving import Serving
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import child, owner

IN_FLIGHT = "assay_requests_in_flight"  # a metric of the predictor


def replicas_wanted(serving: Serving, live: int | None, *, warm: bool) -> int:
    """Return how many pods a version should have, `live` of which the Deployment has now (None: is new).

    Within an autoscaler's bounds whatever it chose is right.

    >>> replicas_wanted(Serving(replicas=2, max_replicas=5), 4, warm=True)
    4
    """
    if not warm:
        return 0
    if not live or not serving.scales or serving.max_replicas is None:
        return serving.replicas
    return min(max(live, serving.replicas), serving.max_replicas)


def size(version: ModelVersion, replicas: int) -> Manifest:
    """Return the one field of the Deployment that others may change; it has an applier of its own."""
    metadata = {"name": predictor_name(version.metadata.name), "namespace": version.metadata.namespace}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": replicas},
    }


def autoscaler(model: Model, version: ModelVersion) -> Manifest:
    """Return the HorizontalPodAutoscaler of a version."""
    serving = model.spec.serving
    name = predictor_name(version.metadata.name)
    quiet = round(seconds(serving.scaling.down_after))
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": serving.replicas,
        "maxReplicas": serving.max_replicas,
        "metrics": _metrics(serving),
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": quiet}},
    }
    return child("autoscaling/v2", "HorizontalPodAutoscaler", name, of(model, version), {"spec": spec})


def budget(model: Model, version: ModelVersion) -> Manifest:
    """Return the PodDisruptionBudget of a version: nodes are emptied one pod at a time."""
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _labels(version)}}
    name = predictor_name(version.metadata.name)
    return child("policy/v1", "PodDisruptionBudget", name, of(model, version), {"spec": spec})


def spread(version: ModelVersion) -> list[Manifest]:
    """Return the wish, no more, to have the pods of a version on different nodes and in different zones."""
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": _labels(version)},
            "matchLabelKeys": ["pod-template-hash"],
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]


def selector(version: str) -> str:
    """Return the selector of a version's pods as autoscalers read it."""
    return f"{ROLE}=predictor,{VERSION_OF}={version}"


def of(model: Model, version: ModelVersion) -> Manifest:
    """Return whose objects a version's are."""
    return {
        "namespace": model.metadata.namespace,
        "model": model.metadata.name,
        "component": "predictor",
        "owner": owner("ModelVersion", version.metadata),
        "labels": {VERSION_OF: version.metadata.name},
    }


def _labels(version: ModelVersion) -> dict[str, str]:
    return {ROLE: "predictor", VERSION_OF: version.metadata.name}


def _metrics(serving: Serving) -> list[Manifest]:
    used = {"type": "Utilization", "averageUtilization": serving.scaling.cpu}
    metrics: list[Manifest] = [{"type": "Resource", "resource": {"name": "cpu", "target": used}}]
    if serving.scaling.in_flight:
        target = {"type": "AverageValue", "averageValue": str(serving.scaling.in_flight)}
        metrics.append({"type": "Pods", "pods": {"metric": {"name": IN_FLIGHT}, "target": target}})
    return metrics
