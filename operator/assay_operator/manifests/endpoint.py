"""The endpoint of a Model: a Service in its own namespace that leads to the gateway."""

from collections.abc import Iterable

from assay_api import Model
from assay_api.names import slice_name
from assay_operator.manifests import Manifest
from assay_operator.manifests.meta import child, owner

PORT = 80


def service(model: Model) -> Manifest:
    """Return the Service; without a selector, as its pods live in another namespace."""
    spec = {"ports": [{"name": "http", "port": PORT, "protocol": "TCP"}]}
    return child("v1", "Service", model.metadata.name, _of(model), {"spec": spec})


def endpoint_slice(model: Model, gateways: Iterable[str], port: int) -> Manifest:
    """Return the EndpointSlice that points the Service at the gateway's pods."""
    body: Manifest = {
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ip], "conditions": {"ready": True}} for ip in sorted(gateways)],
    }
    of = _of(model)
    of["labels"] = {
        "kubernetes.io/service-name": model.metadata.name,
        "endpointslice.kubernetes.io/managed-by": "assay-operator",
    }
    return child("discovery.k8s.io/v1", "EndpointSlice", slice_name(model.metadata.name), of, body)


def url(model: Model) -> str:
    """Return where callers inside the cluster find the Model."""
    return f"http://{model.metadata.name}.{model.metadata.namespace}.svc/predict"


def _of(model: Model) -> Manifest:
    return {
        "namespace": model.metadata.namespace,
        "model": model.metadata.name,
        "component": "endpoint",
        "owner": owner("Model", model.metadata),
    }
