"""Pure: the command line of each process of a node."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from .settings import API_PORT, MANY_SERVICES, NODE, NODE_IP, PODS, SERVICES, Cluster

ETCD = "http://127.0.0.1:2379"
CommandLine = tuple[str | Path, ...]
DELETIONS = (
    "garbage-collector-controller",
    "namespace-controller",
    "persistentvolumeclaim-protection-controller",
)
"""Controllers without which what is deleted stays."""


class Ports(NamedTuple):
    """Loopback ports of a control plane that has no network of its own."""

    api: int
    store: int
    peer: int


def store(cluster: Cluster, kube: Path) -> Mapping[str, CommandLine]:
    """What the API server stands on."""
    return {
        "etcd": (
            kube, "etcd", "--data-dir", cluster.state / "etcd", "--listen-client-urls", ETCD,
            "--advertise-client-urls", ETCD, "--listen-peer-urls", "http://127.0.0.1:2380",
            "--unsafe-no-fsync", "--log-level", "warn",
        ),
        "containerd": containerd(cluster),
    }  # fmt: skip


def containerd(cluster: Cluster) -> CommandLine:
    """The runtime and image store."""
    return ("containerd", "--config", cluster.state / "containerd.toml", "--log-level", "warn")


def api_server(cluster: Cluster, kube: Path) -> CommandLine:
    """Node and RBAC authorization as in any real cluster."""
    pki = cluster.state / "pki"
    return (
        *_api_server(cluster, kube, ETCD), "--bind-address", "0.0.0.0", "--secure-port", str(API_PORT),
        "--service-cluster-ip-range", SERVICES,
        "--kubelet-client-certificate", pki / "admin.crt", "--kubelet-client-key", pki / "admin.key",
        "--kubelet-preferred-address-types", "InternalIP",
    )  # fmt: skip


def _api_server(cluster: Cluster, kube: Path, etcd: str) -> CommandLine:
    pki = cluster.state / "pki"
    return (
        kube, "kube-apiserver", "--etcd-servers", etcd, "--advertise-address", NODE_IP,
        "--tls-cert-file", pki / "apiserver.crt", "--tls-private-key-file", pki / "apiserver.key",
        "--client-ca-file", pki / "ca.crt", "--cert-dir", cluster.state / "run",
        "--service-account-key-file", pki / "sa.pub", "--service-account-signing-key-file", pki / "sa.key",
        "--service-account-issuer", "https://kubernetes.default.svc",
        "--authorization-mode", "Node,RBAC", "--allow-privileged",
    )  # fmt: skip


def control_plane(cluster: Cluster, kube: Path, ports: Ports) -> Mapping[str, CommandLine]:
    """A store and an API server on loopback, and the controllers of deletion; nothing else runs.

    Nobody makes ServiceAccounts here, so pods need none. Nobody follows the Endpoints of the API server's own
    Service, so it has none: loopback is not allowed there.
    """
    store = f"http://127.0.0.1:{ports.store}"
    return {
        "etcd": (
            kube, "etcd", "--data-dir", cluster.state / "etcd", "--listen-client-urls", store,
            "--advertise-client-urls", store, "--listen-peer-urls", f"http://127.0.0.1:{ports.peer}",
            "--unsafe-no-fsync", "--log-level", "warn",
        ),
        "apiserver": (
            *_api_server(cluster, kube, store),
            "--bind-address", "127.0.0.1", "--secure-port", str(ports.api),
            "--service-cluster-ip-range", MANY_SERVICES, "--endpoint-reconciler-type", "none",
            "--disable-admission-plugins", "ServiceAccount",
        ),
        "controller-manager": (
            kube, "kube-controller-manager", "--kubeconfig", cluster.kubeconfig, "--leader-elect=false",
            "--controllers", ",".join(DELETIONS), "--secure-port", "0",
        ),
    }  # fmt: skip


def others(cluster: Cluster, kube: Path) -> Mapping[str, CommandLine]:
    """Everything that talks to the API server."""
    state = cluster.state
    no_conntrack = ("--conntrack-max-per-core", "0", "--conntrack-tcp-timeout-established", "0",
                    "--conntrack-tcp-timeout-close-wait", "0")  # fmt: skip
    return {
        # cAdvisor looks at containerd's default socket unless told, and its metrics then lack pod labels
        "kubelet": (
            kube, "kubelet", "--config", state / "kubelet.yaml", "--kubeconfig", state / "kubelet.kubeconfig",
            "--hostname-override", NODE, "--node-ip", NODE_IP, "--root-dir", state / "kubelet",
            "--containerd", cluster.containerd_socket, "--cert-dir", state / "run",
        ),
        "controller-manager": (
            kube, "kube-controller-manager", "--kubeconfig", state / "controller-manager.kubeconfig",
            "--service-account-private-key-file", state / "pki/sa.key",
            "--root-ca-file", state / "pki/ca.crt",
            "--use-service-account-credentials", "--leader-elect=false", "--cluster-cidr", PODS,
            "--allocate-node-cidrs=false", "--cert-dir", state / "run",
        ),
        "scheduler": (
            kube, "kube-scheduler", "--kubeconfig", state / "scheduler.kubeconfig", "--leader-elect=false",
            "--cert-dir", state / "run",
        ),
        "proxy": (
            kube, "kube-proxy", "--kubeconfig", state / "proxy.kubeconfig", "--proxy-mode", "iptables",
            "--hostname-override", NODE, "--cluster-cidr", PODS, *no_conntrack,
        ),
        "coredns": (kube, "coredns", "-conf", state / "Corefile"),
        "provisioner": (
            kube, "provisioner", "--kubeconfig", state / "admin.kubeconfig", "--dir", state / "volumes",
        ),
    }  # fmt: skip
