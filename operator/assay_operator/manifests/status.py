"""The patch that carries a status."""

from collections.abc import Mapping
from typing import Any

from assay_api import API_VERSION, Experiment, Model, ModelVersion
from assay_operator.manifests import Manifest

Resource = Model | ModelVersion | Experiment


_ALWAYS_WRITTEN = ("observedGeneration", "conditions")


def status_patch(
    resource: Resource, status: Any, version: str | None = None, stored: Mapping[str, Any] | None = None
) -> Manifest:
    """Return the body that sets the status of an object, as it was read, and nothing else of it.

    Args:
        resource: Whose it is.
        status: The new one.
        version: The version that the object has, if it is not the one that was read.
        stored: What is kept of a status that is not understood: all but generation and conditions.
    """
    serialized = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    if stored is not None:
        serialized = {**stored, **{name: serialized[name] for name in _ALWAYS_WRITTEN}}
    metadata = resource.metadata
    pinned = {"uid": metadata.uid, "resourceVersion": version or metadata.resource_version}
    return {
        "apiVersion": API_VERSION,
        "kind": type(resource).__name__,
        "metadata": {"name": metadata.name, "namespace": metadata.namespace, **pinned},
        "status": serialized,
    }
