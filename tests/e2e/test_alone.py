"""A gateway that has to start while the operator is away answers with what it knew."""

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from people import Place
from town import SYSTEM, Json, Town, _processes, wait

OPERATOR = "deployment/assay-operator"


@contextmanager
def no_operator(town: Town) -> Iterator[None]:
    """Take the operator away while the block runs, and wait until it is back."""
    town.read_operator_log()
    town.kubectl("scale", "-n", SYSTEM, OPERATOR, "--replicas=0")
    try:
        wait(lambda: not town.all("pods", SYSTEM, "app.kubernetes.io/component=operator"), 60)
        yield
    finally:
        town.kubectl("scale", "-n", SYSTEM, OPERATOR, "--replicas=2")
        town.kubectl("rollout", "status", "-n", SYSTEM, OPERATOR, "--timeout=90s")


def envoy(town: Town, pod: str) -> Json:
    """Return the status of the Envoy of a gateway pod."""
    found = town.get("pod", pod, SYSTEM)
    assert found is not None
    status: Json = next(s for s in found["status"]["containerStatuses"] if s["name"] == "envoy")
    return status


def answer(place: Place, address: str) -> int:
    """Return the status of an answer of the Model through one gateway pod; 0 if there is none."""
    host = {"Host": f"churn.{place.namespace}", "x-user-id": "somebody"}
    request = urllib.request.Request(f"http://{address}:8080/readyz", headers=host)
    try:
        with place.town.inside(), urllib.request.urlopen(request, timeout=3) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def test_an_envoy_that_starts_without_an_operator_answers(place: Place) -> None:
    town = place.town
    town.apply(place.model("plain"))
    place.champion("churn-1")
    pod = town.pod("gateway")
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    wait(lambda: answer(place, address) == 200, 30)
    with no_operator(town):
        before = envoy(town, name)
        for pid in _processes(before["containerID"].rpartition("/")[2]):
            os.kill(pid, signal.SIGKILL)
        wait(lambda: envoy(town, name)["restartCount"] > before["restartCount"], 60)
        wait(lambda: envoy(town, name)["ready"], 30, told=lambda: envoy(town, name))
        assert answer(place, address) == 200
    wait(lambda: answer(place, address) == 200, 30)
