"""The Job that trains a version."""

from json import dumps

from assay_api import Model, ModelVersion
from assay_api.names import MODEL, ROLE, VERSION_OF, trainer_name
from assay_api.version import StoredArtifact
from assay_operator.manifests import Manifest
from assay_operator.manifests.claim import volumes
from assay_operator.manifests.meta import THREADS, child, env, owner, restricted_container, restricted_pod
from assay_operator.manifests.platform import Platform

REFUSED = 1  # the exit code of a training that says why; another attempt would say the same
_RETRIES = 2  # of pods that were killed


def job(model: Model, version: ModelVersion, champion: StoredArtifact | None, platform: Platform) -> Manifest:
    """Return the Job; the pod's termination message brings its result back."""
    labels = {MODEL: model.metadata.name, ROLE: "trainer", VERSION_OF: version.metadata.name}
    names, mounts = volumes(model.metadata.name, platform, read_only=False)
    container = {
        "name": "trainer",
        "image": platform.trainer_image,
        "imagePullPolicy": platform.pull_policy,
        "command": ["python", "-m", "assay_training"],
        "env": env(
            {"ASSAY_JOB": dumps(order(model, version, champion, platform), sort_keys=True)}
            | _threads(platform)
        ),
        "resources": {
            "requests": {"cpu": "100m", "memory": "512Mi"},
            "limits": {"memory": platform.trainer_memory},
        },
        "securityContext": restricted_container(),
        "terminationMessagePolicy": "File",
        "volumeMounts": mounts,
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": restricted_pod(),
        "containers": [container],
        "volumes": names,
    }
    rule = {
        "action": "FailJob",
        "onExitCodes": {"containerName": "trainer", "operator": "In", "values": [REFUSED]},
    }
    spec = {
        "backoffLimit": _RETRIES,
        "podFailurePolicy": {"rules": [rule]},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    of = {
        "namespace": model.metadata.namespace,
        "model": model.metadata.name,
        "component": "trainer",
        "owner": owner("ModelVersion", version.metadata),
        "labels": {VERSION_OF: version.metadata.name},
    }
    return child("batch/v1", "Job", trainer_name(version.metadata.name), of, {"spec": spec})


def artifact_path(version: ModelVersion) -> str:
    """Return the folder of a version below the store's root."""
    return f"{version.metadata.namespace}/{version.spec.model_ref.name}/{version.metadata.name}"


def order(
    model: Model, version: ModelVersion, champion: StoredArtifact | None, platform: Platform
) -> Manifest:
    """Return what the training is told."""
    source = version.spec.source.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "model": model.metadata.name,
        "namespace": model.metadata.namespace,
        "version": version.metadata.name,
        "number": version.spec.number,
        "store": platform.store.root,
        "path": artifact_path(version),
        "task": source["task"],
        "training": source["training"],
        "gates": source["gates"],
        "champion": {"uri": champion.uri, "digest": champion.digest} if champion else None,
    }


def _threads(platform: Platform) -> dict[str, str]:
    return dict.fromkeys(THREADS, platform.trainer_cpu)
