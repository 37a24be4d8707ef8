"""Two whole operators and a real API server: one acts, and after its end the other one, once."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_objects import Objects, ensure_namespace, until
from operator_process import SYSTEM, OperatorProcess, alive, collector, operator

from assay_api.names import predictor_name

LEADER = "assay-operator-leader"
TAKEOVER_SECONDS, HANDOVER_SECONDS = 10.0, 4.0
CHILDREN = ("ModelVersion", "Deployment", "Service", "EndpointSlice")


def model(name: str) -> dict[str, Any]:
    spec = {"task": "Classification", "image": {"image": "shop/churn:7", "port": 3000}}
    return {"kind": "Model", "metadata": {"name": name}, "spec": spec}


def series(replica: OperatorProcess) -> dict[str, float]:
    """Return the metrics of a replica; none while it does not answer."""
    try:
        lines = replica.get("/metrics").splitlines()
    except OSError:
        return {}
    return {name: float(value) for name, value in (x.rsplit(" ", 1) for x in lines if x[0] != "#")}


def leads(replica: OperatorProcess) -> bool:
    return series(replica).get("assay_leader") == 1


@pytest.fixture
def system(api_server: Any) -> Iterator[Objects]:
    """The operator's own namespace, with a free Lease."""
    found = ensure_namespace(api_server.client, SYSTEM)
    found.delete("Lease", LEADER)  # that an operator of another module has left
    found.create({"kind": "Lease", "metadata": {"name": LEADER}, "spec": {}})
    yield found
    found.delete("Lease", LEADER)


def pod(system: Objects, name: str) -> str:
    """Create a pod that nobody runs, for a replica to be; return its uid."""
    spec = {"containers": [{"name": "operator", "image": "none"}]}
    uid: str = system.create({"kind": "Pod", "metadata": {"name": name}, "spec": spec})["metadata"]["uid"]
    return uid


def address(system: Objects) -> str:
    """Return where the Service leads to; empty while it leads nowhere."""
    found = system.get("EndpointSlice", LEADER)
    return found["endpoints"][0]["addresses"][0] if found else ""


def uids(objects: Objects) -> dict[str, set[str]]:
    return {kind: {o["metadata"]["uid"] for o in objects.all(kind)} for kind in CHILDREN}


def test_the_other_one_acts_after_a_kill_and_after_an_end_in_order(
    api_server: Any, objects: Objects, system: Objects, tmp_path: Path
) -> None:
    numbers = collector(tmp_path)
    replicas = []
    for name, ip in (("op-a", "10.1.2.3"), ("op-b", "10.1.2.4")):
        (tmp_path / name).mkdir()
        who = {"pod_name": name, "pod_uid": pod(system, name), "pod_ip": ip}
        replicas.append(
            operator(api_server.kubeconfig, tmp_path / name, f"http://127.0.0.1:{numbers.port}", **who)
        )
    with alive(numbers, *replicas):
        objects.create(model("first"))
        until(lambda: objects.get("Deployment", predictor_name("first-1")), "the first act")
        old, new = sorted(replicas, key=leads, reverse=True)
        assert (leads(old), leads(new)) == (True, False)
        before, place = uids(objects), address(system)
        killed = time.monotonic()
        old.kill()
        objects.create(model("second"))
        until(lambda: objects.get("Deployment", predictor_name("second-1")), "the other one to act")
        assert time.monotonic() - killed < TAKEOVER_SECONDS
        until(lambda: address(system) not in {"", place}, "the Service to lead to it")
        after = uids(objects)
        assert all(before[kind] <= after[kind] for kind in CHILDREN)  # nothing was made anew
        assert len(after["ModelVersion"]) == 2
        old.start()
        ended = time.monotonic()
        os.kill(new.pid, signal.SIGTERM)
        until(lambda: leads(old), "the first one to act again")
        assert time.monotonic() - ended < HANDOVER_SECONDS
        new.stop()
    log = "".join((tmp_path / name / "operator.log").read_text() for name in ("op-a", "op-b"))
    assert "Traceback" not in log
