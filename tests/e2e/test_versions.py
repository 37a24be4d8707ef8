"""The history of a Model as its user sees it: reuse, search, cards, evidence of what was rejected."""

import os
import subprocess
import sys

from namespace_fixture import NamespaceFixture

FEW = {"numeric": ["total_day_minutes", "number_customer_service_calls"]}
TRAINING = {
    "data": {"uri": "http://lake.lake/data/churn.csv", "target": "churn", "key": "customer_id"},
    "features": FEW,
    "algorithms": ["LogisticRegression"],
    "tuning": {"trials": 1},
}
TOO_MUCH = [{"metric": "rocAuc", "min": 0.9999}]


def assay(ns: NamespaceFixture, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user of the cluster does."""
    env = {**os.environ, "KUBECONFIG": str(ns.cluster.settings.kubeconfig)}
    command = [sys.executable, "-m", "assay_cli", *words, "-n", ns.name]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def names(ns: NamespaceFixture, *words: str) -> list[str]:
    """Return the versions that a search finds, in its order."""
    found = ns.cluster.kubectl("get", "amv", "-n", ns.name, "-o", "name", *words).stdout.split()
    return [name.rpartition("/")[2] for name in found]


def test_versions_are_used_again_searched_for_and_read(ns: NamespaceFixture) -> None:
    cluster, namespace = ns.cluster, ns.name
    cluster.apply(ns.model({"training": TRAINING}, gates=[{"metric": "rocAuc", "min": 0.6}]))
    ns.champion("churn-1", patience=180)
    one = {**TRAINING, "features": {"numeric": ["account_length"]}}
    cluster.apply(ns.model({"training": one}, gates=TOO_MUCH))
    rejected = cluster.until("amv", "churn-2", namespace, lambda s: s.get("phase") == "Rejected", 180)
    assert rejected["gates"][0]["passed"] is False
    assert rejected["artifact"]["digest"].startswith("sha256:")
    by_auc = ("-l", "assay.dev/model=churn", "--sort-by=.status.metrics.test.rocAuc")
    assert names(ns, *by_auc) == ["churn-2", "churn-1"]
    assert names(ns, "-l", "assay.dev/source=training,assay.dev/trigger=Manual") == []
    table = cluster.kubectl("get", "amv", "-n", namespace, "-o", "wide").stdout
    assert [word in table for word in ("LogisticRegression", "3005", "Rejected", "0.9999")] == [True] * 4

    hint = assay(ns, "card", "churn-2").stderr.strip().splitlines()[-1].split()
    assert hint[:4] == ["kubectl", "exec", "-n", namespace], hint
    card = cluster.kubectl(*hint[1:]).stdout
    assert "churn-2" in card
    assert "0.9999" in card
    assert "churn-1" in card, "what has changed since the one before"

    cluster.apply(ns.model({"training": TRAINING}, gates=[{"metric": "rocAuc", "min": 0.6}]))
    cluster.until("amodel", "churn", namespace, lambda s: s.get("candidate", "") == "", 30)
    assert names(ns) == ["churn-1", "churn-2"], "used again"
    done = assay(ns, "retrain", "churn")
    assert "churn-3 is made" in done.stdout, done.stderr
    ns.champion("churn-3", patience=180)
    assert names(ns, "-l", "assay.dev/trigger=Manual") == ["churn-3"]
    first, third = (
        cluster.status("amv", name, namespace)["metrics"]["test"] for name in ("churn-1", "churn-3")
    )
    assert first == third, "the same data, spec and seed"
