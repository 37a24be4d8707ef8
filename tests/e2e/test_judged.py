"""A user's own Bento meets its gates on its owner's rows before it may get traffic."""

from functools import partial
from typing import Any

from cluster_fixture import wait
from namespace_fixture import NamespaceFixture

FRIENDLY = "http://lake.lake/held/friendly.csv"  # customers for whom the Bento has no bug
EVERYBODY = "http://lake.lake/held/everybody.csv"


def judged(ns: NamespaceFixture, uri: str, *gates: dict[str, Any]) -> dict[str, Any]:
    """Return a Model that serves the cluster's Bento if it passes these gates."""
    data = {"uri": uri, "target": "churn", "key": "customer_id"}
    return ns.model("faulty", evaluation={"data": data}, gates=list(gates))


def test_a_bento_serves_once_it_has_passed(ns: NamespaceFixture) -> None:
    cluster, namespace = ns.cluster, ns.name
    gates = [{"metric": "accuracy", "min": 0.8}, {"metric": "latencyMs", "max": 10_000}]
    cluster.apply(judged(ns, FRIENDLY, *gates))
    ns.champion("churn-1", patience=180)
    status = cluster.status("amv", "churn-1", namespace)
    assert [gate["passed"] for gate in status["gates"]] == [True, True]
    assert status["metrics"]["test"]["accuracy"] > 0.8
    assert cluster.condition("amv", "churn-1", namespace, "DataValid")["status"] == "True"
    assert "sha256:" in status["environment"]["judged"]
    job = partial(cluster.get, "job", "churn-1-train", namespace)
    wait(lambda: (job() or {})["status"].get("succeeded") == 1, 30, state=job)  # so the sidecar has ended too


def test_a_bento_that_fails_for_some_rows_gets_no_traffic(ns: NamespaceFixture) -> None:
    """The bug that only traffic finds is found before; the row and the answer are named."""
    cluster, namespace = ns.cluster, ns.name
    cluster.apply(ns.model("plain"))
    ns.champion("churn-1")
    cluster.apply(judged(ns, EVERYBODY, {"metric": "recall", "min": 0.1}))
    cluster.until("amv", "churn-2", namespace, lambda s: s.get("phase") == "Failed", 180)
    ready = cluster.condition("amv", "churn-2", namespace, "Ready")
    assert ready["reason"] == "InfraCheckFailed"
    assert "answered 500" in ready["message"]
    assert "for the row whose customer_id is c-" in ready["message"]
    cluster.expect_event("churn-2", namespace, "InfraCheckFailed")
    assert cluster.get("deployment", "churn-2--predictor", namespace) is None
    assert cluster.status("amodel", "churn", namespace)["champion"] == "churn-1"


def test_a_version_meets_a_champion_that_is_a_bento(ns: NamespaceFixture) -> None:
    """The champion is asked where it serves, and a bar that it sets is not passed unseen."""
    cluster, namespace = ns.cluster, ns.name
    cluster.apply(judged(ns, FRIENDLY, {"metric": "accuracy", "min": 0.8}))
    ns.champion("churn-1", patience=180)
    data = {"uri": FRIENDLY, "target": "churn", "key": "customer_id"}
    gates = [{"metric": "accuracy", "notWorseThanChampionBy": 0.5}, {"metric": "accuracy", "min": 0.999}]
    cluster.apply(ns.model("plain", evaluation={"data": data}, gates=gates))
    status = cluster.until("amv", "churn-2", namespace, lambda s: s.get("phase") == "Rejected", 180)
    assert "against the champion's 0." in status["gates"][0]["message"]
    assert [gate["passed"] for gate in status["gates"]] == [True, False]
    assert status["metrics"]["test"]["accuracy"] > 0.5, "a rejected version keeps its evidence"
    assert cluster.status("amodel", "churn", namespace)["champion"] == "churn-1"
