"""Pure: the command line of each process of a node."""

from collections.abc import Mapping
from pathlib import Path

from .settings import API_PORT, NODE, NODE_IP, PODS, SERVICES, Cluster

ETCD = "http://127.0.0.1:2379"
CommandLine = tuple[str | Path, ...]


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
        kube, "kube-apiserver", "--etcd-servers", ETCD, "--bind-address", "0.0.0.0",
        "--advertise-address", NODE_IP, "--secure-port", str(API_PORT),
        "--tls-cert-file", pki / "apiserver.crt", "--tls-private-key-file", pki / "apiserver.key",
        "--client-ca-file", pki / "ca.crt", "--cert-dir", cluster.state / "run",
        "--service-account-key-file", pki / "sa.pub", "--service-account-signing-key-file", pki / "sa.key",
        "--service-account-issuer", "https://kubernetes.default.svc",
        "--service-cluster-ip-range", SERVICES, "--authorization-mode", "Node,RBAC", "--allow-privileged",
        "--kubelet-client-certificate", pki / "admin.crt", "--kubelet-client-key", pki / "admin.key",
        "--kubelet-preferred-address-types", "InternalIP",
    )  # fmt: skip


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
