"""Objects of a real API server, as plain dictionaries: what tests and benchmarks make, read and change."""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

Body = dict[str, Any]
T = TypeVar("T")
CRDS = Path(__file__).parents[2] / "crds"
FIELD_MANAGER = "assay-test"
GROUPS = {
    "Model": "assay.dev/v1alpha1",
    "ModelVersion": "assay.dev/v1alpha1",
    "Experiment": "assay.dev/v1alpha1",
    "Deployment": "apps/v1",
    "Job": "batch/v1",
    "EndpointSlice": "discovery.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
}
"""Kind -> apiVersion; the others are of the core group."""


def connect(kubeconfig: Path) -> DynamicClient:
    """Return a client that may do everything."""
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    return DynamicClient(client.ApiClient(settings))


def until(claim: Callable[[], T | None], what: str, seconds: float = 30, pause: float = 0.05) -> T:
    """Ask until the answer is true, and return it.

    Raises:
        AssertionError: the time is over; `what` completes "gave up waiting for".
    """
    end = time.monotonic() + seconds
    while True:
        if found := claim():
            return found
        assert time.monotonic() < end, f"gave up waiting for {what} after {seconds:.0f} s"
        time.sleep(pause)


@dataclass(frozen=True)
class Objects:
    """The objects of one namespace."""

    api: DynamicClient
    namespace: str

    def create(self, body: Body) -> Body:
        """Create it; return it as the API server keeps it.

        Raises:
            ApiException: refused, for example by the schema; `.status` and `.body` say why.
        """
        made = self._resource(body["kind"]).create(
            body=self._complete(body), namespace=self.namespace, field_manager=FIELD_MANAGER
        )
        kept: Body = made.to_dict()
        return kept

    def get(self, kind: str, name: str) -> Body | None:
        """Return the object as it is now, or None."""
        try:
            found: Body = self._resource(kind).get(name=name, namespace=self.namespace).to_dict()
        except NotFoundError:
            return None
        return found

    def all(self, kind: str, selector: str = "") -> list[Body]:
        """Return all of a kind, or those that the label selector names."""
        found = self._resource(kind).get(namespace=self.namespace, label_selector=selector)
        head = {"apiVersion": GROUPS.get(kind, "v1"), "kind": kind}
        return [head | item for item in found.to_dict()["items"]]

    def patch(self, kind: str, name: str, change: Mapping[str, Any], subresource: str = "") -> Body:
        """Merge `change` into the object (RFC 7386), or into its subresource `status`."""
        resource = self._resource(kind)
        of = resource.subresources[subresource] if subresource else resource
        patched: Body = of.patch(
            body=dict(change),
            name=name,
            namespace=self.namespace,
            content_type="application/merge-patch+json",
            field_manager=FIELD_MANAGER,
        ).to_dict()
        return patched

    def delete(self, kind: str, name: str) -> None:
        """Delete the object, and what it owns, in the background; gone already is fine."""
        try:
            self._resource(kind).delete(name=name, namespace=self.namespace)
        except NotFoundError:
            return

    def condition(self, kind: str, name: str, of: str) -> Body:
        """Return the condition of that type; empty while there is none."""
        return next((c for c in self.conditions(kind, name) if c["type"] == of), {})

    def conditions(self, kind: str, name: str) -> list[Body]:
        """Return all conditions; none while the object is not there."""
        found = self.get(kind, name) or {}
        return list(found.get("status", {}).get("conditions") or ())

    def _resource(self, kind: str) -> Any:
        return self.api.resources.get(api_version=GROUPS.get(kind, "v1"), kind=kind)

    def _complete(self, body: Body) -> Body:
        return {"apiVersion": GROUPS.get(body["kind"], "v1"), **body}


def install_crds(api: DynamicClient) -> None:
    """Create our kinds, and wait until the API server serves them."""
    crds = api.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    bodies = [yaml.safe_load(file.read_text()) for file in sorted(CRDS.glob("*.yaml"))]
    for body in bodies:
        crds.server_side_apply(
            body=body, name=body["metadata"]["name"], field_manager=FIELD_MANAGER, force_conflicts=True
        )
    for name in (body["metadata"]["name"] for body in bodies):
        until(partial(_served, crds, name), name)
    api.resources.invalidate_cache()


def _served(crds: Any, name: str) -> bool:
    conditions = crds.get(name=name).to_dict().get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


@contextmanager
def namespace(api: DynamicClient, prefix: str = "t") -> Iterator[Objects]:
    """Make a namespace for a `with` block; it is deleted afterwards, without waiting for the end of it."""
    kind, name = api.resources.get(api_version="v1", kind="Namespace"), f"{prefix}-{secrets.token_hex(4)}"
    kind.create(body={"metadata": {"name": name}})
    try:
        yield Objects(api, name)
    finally:
        with suppress(NotFoundError):
            kind.delete(name=name)


def ensure_namespace(api: DynamicClient, name: str) -> Objects:
    """Return the namespace of that name, made if it is missing."""
    with suppress(ConflictError):
        api.resources.get(api_version="v1", kind="Namespace").create(body={"metadata": {"name": name}})
    return Objects(api, name)


__all__ = ["ApiException", "Objects", "connect", "ensure_namespace", "install_crds", "namespace", "until"]
