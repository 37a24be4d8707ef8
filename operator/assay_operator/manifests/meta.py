"""What every object that we make has in common."""

from hashlib import sha256
from json import dumps
from typing import Any

from assay_api import API_VERSION, Metadata
from assay_api.data import SecretRef
from assay_api.names import COMPONENT, DIGEST, MANAGED_BY, MODEL, OPERATOR
from assay_operator.manifests import Manifest

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
USER = 10001  # of every image of ours; no rights anywhere


def owner(kind: str, metadata: Metadata) -> Manifest:
    """Return the reference that makes deletion Kubernetes' own work."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def child(api_version: str, kind: str, name: str, of: Manifest, body: Manifest) -> Manifest:
    """Return an object with our labels, its owner, and a digest of itself.

    The digest makes a removed field visible to a comparison that only asks for what is wanted.

    Args:
        api_version: Of the object.
        kind: Of the object.
        name: Of the object.
        of: `{"namespace", "model", "component", "owner", "labels"?}`: whose it is.
        body: Everything beside `metadata`.
    """
    labels = {MODEL: of["model"], MANAGED_BY: OPERATOR, COMPONENT: of["component"]} | of.get("labels", {})
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": of["namespace"],
            "labels": labels,
            "annotations": {DIGEST: digest([labels, body])},
            "ownerReferences": [of["owner"]],
        },
        **body,
    }


def digest(value: Any) -> str:
    """Return a short name for `value`, which is equal for equal values only."""
    return sha256(dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def restricted_pod() -> Manifest:
    """Return the security context of a pod that passes the `restricted` standard."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def restricted_container() -> Manifest:
    """Return the security context of its containers."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def env(values: dict[str, str]) -> list[Manifest]:
    """Return environment variables in a stable order."""
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


def credentials(ref: SecretRef | None) -> Manifest:
    """Return what makes all keys of a Secret variables of a container; the API server sees its name only."""
    return {"envFrom": [{"secretRef": {"name": ref.name}}]} if ref else {}
