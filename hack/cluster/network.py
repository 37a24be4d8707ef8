"""The node's own network: one namespace, one interface, no way out."""

from pathlib import Path

from .settings import GATEWAY_IP, NODE_IP, Cluster
from .shell import Failed, output, run, works


def inside(cluster: Cluster, *words: str | Path) -> list[str | Path]:
    """The command, run in the cluster's network. Not `ip netns exec`: that hides /sys/fs/cgroup."""
    return ["nsenter", f"--net={cluster.netns}", "--", *words]


def create(cluster: Cluster) -> None:
    """Make the namespace and the node's interface; idempotent.

    Kernels without dummy devices exist: one end of a veth pair plays the node's interface.
    """
    if not cluster.netns.exists():
        run("ip", "netns", "add", cluster.name)
    run(*inside(cluster, "ip", "link", "set", "lo", "up"))
    if not works(*inside(cluster, "ip", "link", "show", "node0")):
        run(*inside(cluster, "ip", "link", "add", "node0", "type", "veth", "peer", "name", "node0p"))
    run(*inside(cluster, "ip", "link", "set", "node0p", "up"))
    run(*inside(cluster, "ip", "addr", "replace", f"{NODE_IP}/24", "dev", "node0"))
    run(*inside(cluster, "ip", "link", "set", "node0", "up"))
    run(*inside(cluster, "ip", "route", "replace", "default", "via", GATEWAY_IP, "dev", "node0"))
    run(*inside(cluster, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"))


def delete(cluster: Cluster) -> None:
    """Remove the namespace, and with it interfaces, iptables rules and addresses; idempotent."""
    if cluster.netns.exists():
        run("ip", "netns", "delete", cluster.name)


def processes(cluster: Cluster) -> list[int]:
    """Whoever is still in the namespace."""
    if not cluster.netns.exists():
        return []
    try:
        return [int(pid) for pid in output("ip", "netns", "pids", cluster.name).split()]
    except Failed:
        return []
