"""The replica that acts dies, sleeps, is cut off, or is deposed, under traffic: another one acts, once."""

import asyncio
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import pytest
from cluster_fixture import LEADER, SYSTEM, ClusterFixture, Json, _processes, kill, wait
from namespace_fixture import ERRORS, NamespaceFixture

TAKEOVER_SECONDS = 10.0
BACK_OFF_SECONDS = 330.0  # until the kubelet starts a container again that was killed often: 300 at most
GATEWAYS_SECONDS = 5.0  # from the takeover until every gateway speaks to the new leader
STEPS = {
    "ramp": [{"percent": p, "minDuration": "4s"} for p in (5, 20, 50)],
    "metrics": {"guardrails": [ERRORS]},
    "decision": {"minDuration": "30s", "maxDuration": "20m"},
}


def container(pod: Json) -> str:
    """Return the identity of the operator's container of a pod."""
    statuses = pod["status"]["containerStatuses"]
    return str(next(s["containerID"] for s in statuses if s["name"] == "operator")).rpartition("/")[2]


def killed(_: ClusterFixture, pod: Json) -> Callable[[], None]:
    """SIGKILL; the kubelet starts the container again, which is another candidate then."""
    kill(container(pod))
    return lambda: None


def stopped(_: ClusterFixture, pod: Json) -> Callable[[], None]:
    """SIGSTOP: it will go on where it was, when another one has long been acting."""
    processes = list(_processes(container(pod)))

    def send(number: int) -> None:
        for process in processes:
            os.kill(process, number)

    send(signal.SIGSTOP)
    return lambda: send(signal.SIGCONT)


def deposed(cluster: ClusterFixture, pod: Json) -> Callable[[], None]:
    """An administrator writes the other replica's name into the Lease, while the first one still acts."""
    names = {replica["metadata"]["name"] for replica in replicas(cluster)} - {pod["metadata"]["name"]}
    change = {"spec": {"holderIdentity": names.pop()}}
    cluster.kubectl("patch", "lease", LEADER, "-n", SYSTEM, "--type=merge", "-p", json.dumps(change))
    return lambda: None


def cut_off(_: ClusterFixture, pod: Json) -> Callable[[], None]:
    """Not a packet comes to it or from it, and no connection is closed; it believes that it still leads."""
    network = os.open(f"/proc/{next(iter(_processes(container(pod))))}/ns/net", os.O_RDONLY)
    inside = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{network}", "iptables", "--wait")

    def rules(action: str) -> None:
        for chain in ("INPUT", "OUTPUT"):
            subprocess.run([*inside, action, chain, "--jump", "DROP"], check=True)

    def joined() -> None:
        rules("--delete")
        os.close(network)

    rules("--insert")
    return joined


def replicas(cluster: ClusterFixture) -> list[Json]:
    """Return the operator's pods."""
    found = cluster.all("pods", SYSTEM, "app.kubernetes.io/component=operator")
    return [p for p in found if not p["metadata"].get("deletionTimestamp")]


def standing_by(cluster: ClusterFixture) -> bool:
    """Return whether both replicas compete: one that the kubelet still holds back cannot take over."""
    ready = [
        status["ready"]
        for pod in replicas(cluster)
        for status in pod["status"].get("containerStatuses", [])
        if status["name"] == "operator"
    ]
    return ready == [True, True] and bool(cluster.leader())


def taken_over(cluster: ClusterFixture, before: Json) -> float:
    """Wait until the Lease was acquired anew; return when, by the holder's clock, which is this machine's."""

    def acquired() -> Json | None:
        spec = cluster.lease()
        anew = spec.get("holderIdentity") and spec.get("acquireTime") != before["acquireTime"]
        return spec if anew else None

    spec: Json = wait(acquired, 3 * TAKEOVER_SECONDS, state=cluster.lease)
    return datetime.fromisoformat(spec["acquireTime"]).timestamp()


def connected(cluster: ClusterFixture) -> float:
    """Return how many gateways the leader has, as the Service finds it; -1 while it does not answer."""
    address = cluster.address(LEADER, SYSTEM)
    try:
        with cluster.inside(), urllib.request.urlopen(f"http://{address}:8081/metrics", timeout=2) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return -1
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return float(values["assay_gateway_connected"]) if float(values["assay_leader"]) else -1


def strike(cluster: ClusterFixture, fault: Callable[[ClusterFixture, Json], Callable[[], None]]) -> None:
    """Do it to the leader, and wait until another one acts and has the gateways.

    Raises:
        AssertionError: That took longer than it may.
    """
    wait(lambda: standing_by(cluster), BACK_OFF_SECONDS, state=lambda: replicas(cluster))
    cluster.read_operator_log()
    pods = cluster.all("pods", SYSTEM, "app.kubernetes.io/component=gateway")
    before, gateways = cluster.lease(), len([p for p in pods if not p["metadata"].get("deletionTimestamp")])
    leader = cluster.pod("operator")
    begin = time.time()
    undo = fault(cluster, leader)
    at = taken_over(cluster, before)
    undo()
    assert at - begin <= TAKEOVER_SECONDS
    wait(lambda: connected(cluster) == gateways, GATEWAYS_SECONDS, state=lambda: connected(cluster))


def twice(ns: NamespaceFixture) -> dict[tuple[str, str], int]:
    """Return the Events of the Experiment and the Model that say the same thing more than once."""
    events = Counter(
        (name, f"{reason}: {message}")
        for name in ("churn", "churn-2", "churn-2-g2")
        for reason, message in ns.cluster.events(name, ns.name)
    )
    return {event: count for event, count in events.items() if count > 1}


@pytest.mark.parametrize("fault", [killed, stopped, deposed, cut_off])
async def test_a_leader_that_goes_during_an_experiment_is_replaced_and_nothing_is_done_twice(
    ns: NamespaceFixture, fault: Callable[[ClusterFixture, Json], Callable[[], None]]
) -> None:
    cluster = ns.cluster
    await asyncio.to_thread(wait, lambda: standing_by(cluster), BACK_OFF_SECONDS)
    await asyncio.to_thread(ns.challenged, "boosted", STEPS)
    async with ns.users() as traffic:
        await asyncio.to_thread(strike, cluster, fault)
        await traffic.more(100)
        await asyncio.to_thread(strike, cluster, fault)
        status = await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "Promoted", patience=180)
        await asyncio.to_thread(ns.champion, "churn-2")
        await traffic.more(200)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert traffic.ledger.moves_until(0) == []
    assert twice(ns) == {}
    assert status["decision"]["verdict"] == "Promote"
    after = ns.cluster.status("aexp", "churn-2-g2", ns.name)
    assert after["decision"] == status["decision"]
    versions = [v["metadata"]["name"] for v in ns.cluster.all("amv", ns.name)]
    assert sorted(versions) == ["churn-1", "churn-2"]
    assert ns.cluster.all("jobs", ns.name) == []


async def test_a_rollout_of_the_operator_hands_over_at_once(ns: NamespaceFixture) -> None:
    """Each leader that ends releases the Lease: nobody waits until it has expired."""
    cluster = ns.cluster
    await asyncio.to_thread(ns.challenged, "boosted", STEPS)
    held: list[tuple[float, str]] = []

    async def watch() -> None:
        while True:
            held.append((time.monotonic(), await asyncio.to_thread(cluster.leader)))
            await asyncio.sleep(0.1)

    async with ns.users() as traffic:
        watcher = asyncio.create_task(watch())
        for words in (("restart",), ("status", "--timeout=120s")):
            command = ("rollout", words[0], "deployment/assay-operator", "-n", SYSTEM, *words[1:])
            await asyncio.to_thread(cluster.kubectl, *command)
        await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "Promoted", patience=180)
        watcher.cancel()
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert len({name for _, name in held if name}) >= 2
    assert longest_without(held) < TAKEOVER_SECONDS / 2


def longest_without(held: list[tuple[float, str]]) -> float:
    """Return for how long the Lease named nobody, at the most."""
    longest, since = 0.0, None
    for at, name in held:
        since = None if name else since or at
        longest = max(longest, at - since if since else 0.0)
    return longest
