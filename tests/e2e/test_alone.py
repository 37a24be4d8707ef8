"""A gateway that has to start while the operator is away answers with what it knew."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from cluster_fixture import SYSTEM, ClusterFixture, Json, _processes, wait
from namespace_fixture import NamespaceFixture

OPERATOR = "deployment/assay-operator"


@contextmanager
def no_operator(cluster: ClusterFixture) -> Iterator[None]:
    """Take the operator away while the block runs, and wait until it is back."""
    cluster.read_operator_log()
    cluster.kubectl("scale", "-n", SYSTEM, OPERATOR, "--replicas=0")
    try:
        wait(lambda: not cluster.all("pods", SYSTEM, "app.kubernetes.io/component=operator"), 60)
        yield
    finally:
        cluster.kubectl("scale", "-n", SYSTEM, OPERATOR, "--replicas=2")
        cluster.kubectl("rollout", "status", "-n", SYSTEM, OPERATOR, "--timeout=90s")


def envoy(cluster: ClusterFixture, pod: str) -> Json:
    """Return the status of the Envoy of a gateway pod."""
    found = cluster.get("pod", pod, SYSTEM)
    assert found is not None
    status: Json = next(s for s in found["status"]["containerStatuses"] if s["name"] == "envoy")
    return status


def answer(ns: NamespaceFixture, address: str) -> int:
    """Return the status of an answer of the Model through one gateway pod; 0 if there is none."""
    host = {"Host": f"churn.{ns.name}", "x-user-id": "somebody"}
    request = urllib.request.Request(f"http://{address}:8080/readyz", headers=host)
    try:
        with ns.cluster.inside(), urllib.request.urlopen(request, timeout=3) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def test_an_envoy_that_starts_without_an_operator_answers(ns: NamespaceFixture) -> None:
    cluster = ns.cluster
    cluster.apply(ns.model("plain"))
    ns.champion("churn-1")
    pod = cluster.pod("gateway")
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    wait(lambda: answer(ns, address) == 200, 30)
    with no_operator(cluster):
        before = envoy(cluster, name)
        for pid in _processes(before["containerID"].rpartition("/")[2]):
            os.kill(pid, signal.SIGKILL)
        wait(lambda: envoy(cluster, name)["restartCount"] > before["restartCount"], 60)
        wait(lambda: envoy(cluster, name)["ready"], 30, state=lambda: envoy(cluster, name))
        assert answer(ns, address) == 200
    wait(lambda: answer(ns, address) == 200, 30)
