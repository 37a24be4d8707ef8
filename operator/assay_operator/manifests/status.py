"""The patch that carries a status."""

from typing import Any

from assay_api import API_VERSION, Experiment, Model, ModelVersion
from assay_operator.manifests import Manifest

Resource = Model | ModelVersion | Experiment


def status_patch(resource: Resource, status: Any, version: str | None = None) -> Manifest:
    """Return the body that sets the status of an object, as it was read, and nothing else of it."""
    metadata = resource.metadata
    pinned = {"uid": metadata.uid, "resourceVersion": version or metadata.resource_version}
    return {
        "apiVersion": API_VERSION,
        "kind": type(resource).__name__,
        "metadata": {"name": metadata.name, "namespace": metadata.namespace, **pinned},
        "status": status.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
