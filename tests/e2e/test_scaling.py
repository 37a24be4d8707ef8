"""Pods follow their bounds, resources change under load, rows are counted, and bad files are refused."""

import asyncio
from typing import Any

from cluster_fixture import Json, wait
from namespace_fixture import NamespaceFixture

PREDICTOR = "churn-1--predictor"
QUICK = {"timeout": "3s"}
SMALL = {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}}


def pods(ns: NamespaceFixture) -> tuple[int, int]:
    """Return how many pods the version should have, and how many are available."""
    found = ns.cluster.get("deployment", PREDICTOR, ns.name) or {"spec": {}, "status": {}}
    return found["spec"].get("replicas", -1), found.get("status", {}).get("availableReplicas", 0)


def serving(ns: NamespaceFixture, **how: Any) -> Json:
    return ns.model("plain", serving=QUICK | {"resources": SMALL} | how)


def settled(ns: NamespaceFixture, model: Json) -> None:
    """Apply a Model, and wait until the operator has acted on all of it."""
    ns.cluster.apply(model)
    generation = (ns.cluster.get("amodel", "churn", ns.name) or {})["metadata"]["generation"]
    ns.cluster.until("amodel", "churn", ns.name, lambda s: s.get("observedGeneration", 0) >= generation)


def exists(ns: NamespaceFixture, kind: str) -> bool:
    return ns.cluster.get(kind, PREDICTOR, ns.name) is not None


def test_an_autoscaler_moves_within_its_bounds_and_the_operator_lets_it(ns: NamespaceFixture) -> None:
    """There are no metrics here, so kubectl is the autoscaler."""
    settled(ns, serving(ns, replicas=2, maxReplicas=3))
    ns.champion("churn-1")
    wait(lambda: pods(ns) == (2, 2), 60, state=lambda: pods(ns))
    assert exists(ns, "hpa")
    assert exists(ns, "pdb")
    ns.cluster.kubectl("scale", "deployment", PREDICTOR, "-n", ns.name, "--replicas=3")
    wait(lambda: pods(ns) == (3, 3), 60, state=lambda: pods(ns))
    settled(ns, serving(ns, replicas=2, maxReplicas=3, timeout="4s"))
    assert pods(ns)[0] == 3
    settled(ns, serving(ns, replicas=1))
    wait(lambda: pods(ns) == (1, 1), 60, state=lambda: pods(ns))
    wait(lambda: not exists(ns, "hpa") and not exists(ns, "pdb"), 30)
    ns.cluster.kubectl("scale", "amodel", "churn", "-n", ns.name, "--replicas=2")
    wait(lambda: pods(ns) == (2, 2), 60, state=lambda: pods(ns))
    ns.cluster.until("amodel", "churn", ns.name, lambda s: s.get("replicas") == 2)


async def test_other_resources_lose_no_request(ns: NamespaceFixture) -> None:
    """New pods are ready before old ones go, and those answer until the gateways know."""
    ns.cluster.apply(serving(ns))
    await asyncio.to_thread(ns.champion, "churn-1")
    async with ns.users() as traffic:
        await traffic.more(50)
        more = SMALL | {"requests": {"cpu": "60m", "memory": "130Mi"}}
        await asyncio.to_thread(settled, ns, serving(ns, resources=more))
        done = ("rollout", "status", f"deployment/{PREDICTOR}", "-n", ns.name, "--timeout=90s")
        await asyncio.to_thread(ns.cluster.kubectl, *done)
        await traffic.more(400)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()


async def test_rows_are_counted_where_the_model_asks_for_it(ns: NamespaceFixture) -> None:
    """From a user's request to the collector's sums, under the token of the Model's own namespace."""
    left_out = "total_day_minutes"
    capture = {"exclude": [left_out], "interval": "2s"}
    ns.cluster.apply(serving(ns, capture=capture))
    await asyncio.to_thread(ns.champion, "churn-1")
    async with ns.users() as traffic:
        await traffic.more(100)

    def profiles() -> Any:
        path = f"/v1/profiles/{ns.name}/churn/churn-1"
        return ns.collector(path, "operator")["profiles"]

    def counted() -> bool:
        return bool(profiles()) and profiles()[0]["rows"] >= 100

    await asyncio.to_thread(wait, counted, 60)
    (sums,) = profiles()
    assert left_out not in sums["features"]
    assert sum(sums["features"]["international_plan"]) == sums["rows"]
    assert sum(sums["predictions"]["score"]) == sums["rows"]


async def test_a_lone_file_is_served_as_it_is(ns: NamespaceFixture) -> None:
    """No manifest: the graph itself says its columns and classes."""
    ns.cluster.apply(ns.model("lone", serving=QUICK | {"resources": SMALL}))
    await asyncio.to_thread(ns.champion, "churn-1")
    async with ns.users() as traffic:
        await traffic.more(50)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()


def test_a_hostile_file_is_refused_unopened_and_the_version_says_why(ns: NamespaceFixture) -> None:
    cluster, namespace = ns.cluster, ns.name
    cluster.apply(
        *[ns.model(name, name=name, serving=QUICK | {"resources": SMALL}) for name in cluster.hostile]
    )

    def reasons() -> dict[str, str]:
        return {
            name: cluster.condition("amv", f"{name}-1", namespace, "Available").get("reason", "")
            for name in cluster.hostile
        }

    wait(lambda: reasons() == cluster.hostile, 90, state=reasons)
    for name in cluster.hostile:
        assert cluster.status("amodel", name, namespace).get("champion", "") == ""
