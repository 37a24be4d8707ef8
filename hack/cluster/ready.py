"""When a node may be called up: fresh heartbeat, no taint, default account and storage, DNS that answers."""

import socket
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from . import config
from .api import Api
from .daemon import Daemon
from .forward import move
from .settings import NODE, NODE_IP, Cluster
from .shell import Failed
from .wait import until

ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/default"
STORAGE = "/apis/storage.k8s.io/v1/storageclasses"
DNS_NAME = "kubernetes.default.svc.cluster.local"


def wait(cluster: Cluster, api: Api) -> None:
    """Wait for all of it.

    Raises:
        Failed: something does not come; the message has the end of its log.
    """
    kubelet = Daemon("kubelet", cluster.state)
    started = kubelet.pid_file.stat().st_mtime
    _until(lambda: node_is_ready(api.get(f"/api/v1/nodes/{NODE}"), started), "the node", kubelet, 90)
    manager = Daemon("controller-manager", cluster.state)
    _until(lambda: api.get(ACCOUNT) is not None, "the default ServiceAccount", manager, 30)
    _until(lambda: _storage(api), "the default StorageClass", Daemon("apiserver", cluster.state), 30)
    _until(lambda: dns_answers(cluster), "an answer of DNS", Daemon("coredns", cluster.state), 30)


def node_is_ready(node: Mapping[str, Any] | None, since: float) -> bool:
    """Ready, said after `since` (state that was kept has the last run's words), and open for pods."""
    if node is None:
        return False
    ready = next((c for c in node["status"].get("conditions", []) if c["type"] == "Ready"), None)
    taints = [t["key"] for t in node["spec"].get("taints", []) if t["key"].startswith("node.kubernetes.io/")]
    return bool(
        ready
        and ready["status"] == "True"
        and _moment(ready["lastHeartbeatTime"]) >= int(since)
        and not taints
    )


def dns_answers(cluster: Cluster) -> bool:
    """Whether the API server's name resolves, asked from inside."""
    with ThreadPoolExecutor(max_workers=1) as pool:  # a namespace belongs to a thread; this one ends here
        asker = pool.submit(_socket_inside, str(cluster.netns)).result()
    with asker:
        asker.settimeout(1)
        asker.sendto(question(DNS_NAME), (NODE_IP, 53))
        return has_answer(asker.recv(512))


def question(name: str) -> bytes:
    """A DNS query for the name's IPv4 address, as it goes over the wire."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", 1, 1)


def has_answer(reply: bytes) -> bool:
    """No error code, and at least one record."""
    _, flags, _, answers, _, _ = struct.unpack(">6H", reply[:12])
    return bool(flags & 0xF == 0 and answers > 0)


def _socket_inside(netns: str) -> socket.socket:
    move(netns)
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _storage(api: Api) -> bool:
    return api.get(f"{STORAGE}/default") is not None or api.create(STORAGE, config.storage_class())


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _until(claim: Callable[[], bool], what: str, blame: Daemon, seconds: float) -> None:
    def watched() -> bool:
        if blame.pid() is None:
            raise Failed(f"{blame.name} ended while waiting for {what}:\n{blame.last_words()}")
        return claim()

    try:
        until(watched, what, seconds)
    except Failed as error:
        raise Failed(f"{error}\nthe end of {blame.log}:\n{blame.last_words()}") from error
