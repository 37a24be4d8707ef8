"""No operator, and everything else is replaced: callers notice nothing; then the operator comes back.

ASSAY_ABSENCE_SECONDS asks for more than one replacement of every pod.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import pytest
from cluster_fixture import SYSTEM, ClusterFixture, Json, wait
from namespace_fixture import SAFE, NamespaceFixture

SECONDS = float(os.environ.get("ASSAY_ABSENCE_SECONDS", "0"))
MOMENT = 50  # requests in one second
GATEWAY = "app.kubernetes.io/component=gateway"
PREDICTOR = "assay.dev/role=predictor"
ENDLESS = {
    "ramp": [{"percent": 50}],
    "metrics": SAFE,
    "decision": {"minDuration": "1h", "maxDuration": "2h"},
}
TWO: dict[str, Any] = {"serving": {"replicas": 2, "timeout": "3s"}}


@contextmanager
def without_operator(cluster: ClusterFixture) -> Iterator[None]:
    """Have no pod of the operator while the block runs."""
    deployment = ("-n", SYSTEM, "deployment/assay-operator")
    found = cluster.get("deployment", "assay-operator", SYSTEM)
    assert found is not None
    cluster.read_operator_log()
    cluster.kubectl("scale", *deployment, "--replicas=0")
    label = "app.kubernetes.io/component=operator"
    try:
        wait(lambda: not cluster.all("pods", SYSTEM, label), 60, state=lambda: "the operator is still there")
        yield
    finally:
        cluster.kubectl("scale", *deployment, f"--replicas={found['spec']['replicas']}")
        cluster.kubectl("rollout", "status", *deployment, "--timeout=120s")


def ready(pods: list[Json]) -> set[str]:
    """Return the names of those that are ready and stay."""
    return {
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
    }


def replace_each(cluster: ClusterFixture, namespace: str, label: str, *how: str) -> list[tuple[float, str]]:
    """Delete one pod after another, each when as many are ready as before; return which, and when."""
    old = ready(cluster.all("pods", namespace, label))
    deleted = []
    for name in sorted(old):
        deleted.append((time.time(), name))
        cluster.kubectl("delete", "pod", name, "-n", namespace, "--wait=false", *how)
        wait(partial(others, cluster, namespace, label, name, len(old)), 90, state=partial(str, name))
    return deleted


def complaint(traffic: Any, deleted: list[tuple[float, str]]) -> str:
    """Return what failed, and how long after which pod was deleted."""
    lines = [traffic.ledger.complaint()]
    for answer in traffic.ledger.failures[:20]:
        before = [(answer.at - at, name) for at, name in deleted if at <= answer.at]
        since, name = before[-1] if before else (0.0, "nobody")
        lines.append(
            f"{answer.error[:60]} after {answer.seconds:.2f} s, sent {since:.2f} s after {name} was deleted"
        )
    return "\n".join(lines)


def others(cluster: ClusterFixture, namespace: str, label: str, name: str, count: int) -> bool:
    """Return whether so many are ready beside one."""
    return len(ready(cluster.all("pods", namespace, label)) - {name}) >= count


async def test_every_pod_is_replaced_while_there_is_no_operator_and_no_request_fails(
    ns: NamespaceFixture,
) -> None:
    """Predictors and gateways, at least once each, while an Experiment runs."""
    ns.cluster.apply(ns.model("plain", **TWO))
    await asyncio.to_thread(ns.champion, "churn-1")
    rollout = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": ENDLESS}
    ns.cluster.apply(ns.model("boosted", **TWO, rollout=rollout))
    await asyncio.to_thread(ns.running, "churn-2-g2", patience=90)
    await asyncio.to_thread(ready_predictors, ns, 4)
    begin, deleted = time.monotonic(), []
    async with ns.users() as traffic:
        with without_operator(ns.cluster):
            while True:
                for whose in ((ns.name, PREDICTOR), (SYSTEM, GATEWAY)):
                    deleted += await asyncio.to_thread(replace_each, ns.cluster, *whose)
                await traffic.more(100)
                if time.monotonic() - begin >= SECONDS:
                    break
        await asyncio.to_thread(ns.running, "churn-2-g2")
        await traffic.more(100)
    assert traffic.ledger.failed == 0, complaint(traffic, deleted)
    assert traffic.ledger.moves_until(0) == []


def ready_predictors(ns: NamespaceFixture, count: int) -> None:
    """Wait until so many pods of all versions together are ready."""
    wait(lambda: len(ready(ns.cluster.all("pods", ns.name, PREDICTOR))) == count, 90)


async def test_a_pod_that_is_killed_costs_at_most_the_requests_that_it_had(ns: NamespaceFixture) -> None:
    """Both predictors are deleted by force, one after the other, without an operator.

    What a pod was answering is sent again, unless its answer had begun.
    """
    ns.cluster.apply(ns.model("plain", **TWO))
    await asyncio.to_thread(ns.champion, "churn-1")
    await asyncio.to_thread(ready_predictors, ns, 2)
    force = ("--force", "--grace-period=0")
    async with ns.users() as traffic:
        with without_operator(ns.cluster):
            whose = (ns.name, PREDICTOR)
            deleted = await asyncio.to_thread(replace_each, ns.cluster, *whose, *force)
            await traffic.more(200)
    begun = [answer for answer in traffic.ledger.failures if "payload is not completed" in answer.error]
    assert traffic.ledger.failed == len(begun), complaint(traffic, deleted)
    assert len(begun) <= 2 * len(deleted), complaint(traffic, deleted)


@pytest.mark.parametrize("operator", [True, False], ids=["with an operator", "without an operator"])
async def test_a_gateway_that_is_deleted_by_force_fails_what_it_was_answering(
    ns: NamespaceFixture, capsys: pytest.CaptureFixture[str], *, operator: bool
) -> None:
    """Kubernetes needs a moment to send callers elsewhere; the bar is half of those of a second for each."""
    ns.cluster.apply(ns.model("plain"))
    await asyncio.to_thread(ns.champion, "churn-1")
    force = ("--force", "--grace-period=0")
    async with ns.users() as traffic:
        with nullcontext() if operator else without_operator(ns.cluster):
            deleted = await asyncio.to_thread(replace_each, ns.cluster, SYSTEM, GATEWAY, *force)
        await traffic.more(100)
    with capsys.disabled():
        print(f"\n{traffic.ledger.failed} of {traffic.ledger.requests} failed: two gateways deleted by force")
        print(complaint(traffic, deleted))
    assert traffic.ledger.failed <= MOMENT, complaint(traffic, deleted)
