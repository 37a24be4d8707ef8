"""Where the gateways and Alertmanager find the replica that acts: an EndpointSlice of its own pod."""

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from assay_api.names import MANAGED_BY, OPERATOR
from assay_operator.manifests import Manifest


class Replica(NamedTuple):
    """This pod, as the downward API describes it."""

    namespace: str
    name: str
    uid: str
    address: str


def leader_slice(service: str, replica: Replica, ports: Mapping[str, int]) -> Manifest:
    """Return the one EndpointSlice of the Service without selector; it goes when the replica's pod goes.

    Args:
        service: Name of the Service, and of the slice.
        replica: Where it leads to.
        ports: By the names that the Service's ports have.
    """
    family = "IPv6" if ipaddress.ip_address(replica.address).version == 6 else "IPv4"  # noqa: PLR2004
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": service,
            "namespace": replica.namespace,
            "labels": {
                "kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": OPERATOR,
                MANAGED_BY: OPERATOR,
            },
            "ownerReferences": [_pod(replica)],
        },
        "addressType": family,
        "ports": [{"name": name, "port": port, "protocol": "TCP"} for name, port in sorted(ports.items())],
        "endpoints": [
            {
                "addresses": [replica.address],
                "conditions": {"ready": True},
                "targetRef": {
                    "kind": "Pod",
                    "namespace": replica.namespace,
                    "name": replica.name,
                    "uid": replica.uid,
                },
            }
        ],
    }


def _pod(replica: Replica) -> Manifest:
    return {"apiVersion": "v1", "kind": "Pod", "name": replica.name, "uid": replica.uid}
