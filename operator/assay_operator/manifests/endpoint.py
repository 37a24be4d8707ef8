"""The endpoint of a Model: a name in its own namespace that leads to the gateway."""

from assay_api import Model
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import child, owner
from assay_operator.manifests.platform import Platform

PORT = 80  # of the gateway's Service too: a name leads to an address and never to another port


def service(model: Model, platform: Platform) -> Manifest:
    """Return the Service: an alias of the gateway's own, which Kubernetes keeps on its ready pods.

    One that had an address of its own becomes an alias by being applied; the API server lets the address go.
    """
    spec = {
        "type": "ExternalName",
        "externalName": platform.gateway_host,
        "ports": [{"name": "http", "port": PORT, "protocol": "TCP"}],
    }
    of: Manifest = {
        "namespace": model.metadata.namespace,
        "model": model.metadata.name,
        "component": "endpoint",
        "owner": owner("Model", model.metadata),
    }
    return child("v1", "Service", model.metadata.name, of, {"spec": spec})


def url(model: Model) -> str:
    """Return where callers inside the cluster find the Model."""
    return f"http://{model.metadata.name}.{model.metadata.namespace}.svc/predict"
