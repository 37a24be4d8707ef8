"""The volume that holds a Model's artifacts, where no shared store is configured."""

from assay_api import Model
from assay_api.names import claim_name
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import child, owner
from assay_operator.manifests.platform import ARTIFACTS, Platform


def claim(model: Model, platform: Platform) -> Manifest:
    """Return the claim; it goes with its Model."""
    store = platform.store
    spec: Manifest = {
        "accessModes": [store.access_mode],
        "resources": {"requests": {"storage": store.size}},
    }
    if store.storage_class:
        spec["storageClassName"] = store.storage_class
    of = {
        "namespace": model.metadata.namespace,
        "model": model.metadata.name,
        "component": "artifacts",
        "owner": owner("Model", model.metadata),
    }
    return child("v1", "PersistentVolumeClaim", claim_name(model.metadata.name), of, {"spec": spec})


def volumes(model: str, platform: Platform, *, read_only: bool) -> tuple[list[Manifest], list[Manifest]]:
    """Return the volumes and the mounts of a pod that trains or serves."""
    names = [{"name": "tmp", "emptyDir": {}}]
    mounts: list[Manifest] = [{"name": "tmp", "mountPath": "/tmp"}]
    if platform.store.on_claims:
        source = {"claimName": claim_name(model), "readOnly": read_only}
        names.append({"name": "artifacts", "persistentVolumeClaim": source})
        mounts.append({"name": "artifacts", "mountPath": ARTIFACTS, "readOnly": read_only})
    return names, mounts
