"""Bad input is refused at apply, by name of its field, or said in status and Event; the champion stays."""

import json
from typing import Any

import pytest
from namespace_fixture import NamespaceFixture

DATA = {"uri": "http://lake.lake/data/churn.csv", "target": "churn", "key": "customer_id"}
TRAINING: dict[str, Any] = {"data": DATA, "algorithms": ["LogisticRegression"], "tuning": {"trials": 1}}


def training(**change: Any) -> dict[str, Any]:
    return {"training": TRAINING | change}


ARMS = [
    {"name": "control", "version": "churn-1", "weight": 50},
    {"name": "candidate", "version": "churn-2", "weight": 50},
]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        pytest.param(training(algorithms=["Guessing"]), "algorithms", id="an unknown algorithm"),
        pytest.param(training(tunning={}), "tunning", id="a field that does not exist"),
        pytest.param(training() | {"image": {"image": "x"}}, "exactly one", id="two sources"),
        pytest.param(
            training() | {"gates": [{"metric": "rocAuc"}]}, "at least one of", id="a gate without a bar"
        ),
        pytest.param(
            {"artifact": {"uri": "http://x", "digest": "sha256:1"}}, "digest", id="a digest that is none"
        ),
        pytest.param(
            {"image": {"image": "x"}, "gates": [{"metric": "recall", "min": 0.8}]},
            "on the rows of evaluation",
            id="an image's gates without rows",
        ),
        pytest.param(
            {
                "image": {"image": "x"},
                "evaluation": {"data": DATA},
                "gates": [{"metric": "artifactBytes", "max": 1}],
            },
            "an image has none to measure",
            id="the size of an image's files",
        ),
        pytest.param(
            {
                "artifact": {"uri": "http://x", "digest": "sha256:" + "0" * 64},
                "evaluation": {"data": DATA, "columns": ["age"]},
            },
            "an artifact knows its own columns",
            id="columns for an artifact",
        ),
    ],
)
def test_a_model_that_cannot_be_meant_is_refused_at_apply(
    ns: NamespaceFixture, source: dict[str, Any], words: str
) -> None:
    assert words in ns.cluster.refusal(ns.model(source))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            {"arms": [ARMS[0], ARMS[1] | {"weight": 40}]}, "add up to 100", id="arms that don't sum to 100"
        ),
        pytest.param(
            {"arms": [ARMS[0], ARMS[1] | {"name": "control"}]}, "different names", id="a name twice"
        ),
        pytest.param(
            {"arms": [ARMS[0], ARMS[1] | {"version": "churn-1"}]}, "different versions", id="its own mirror"
        ),
        pytest.param({"arms": [ARMS[0] | {"weight": -5}, ARMS[1]]}, "weight", id="a negative weight"),
        pytest.param({"arms": []}, "arms", id="no arms"),
        pytest.param(
            {"ramp": [{"percent": 60}]}, "must not exceed", id="a ramp above what the weights allow"
        ),
        pytest.param({"ramp": [{"percent": 20}, {"percent": 5}]}, "ascending", id="a ramp that goes down"),
        pytest.param({"decision": {"alpha": 1.5}}, "alpha", id="alpha out of range"),
        pytest.param({"metrics": {}}, "primary metric or a guardrail", id="nothing to decide on"),
        pytest.param(
            {"metrics": {"primary": {"name": "x", "source": "Guess"}}}, "source", id="an unknown source"
        ),
        pytest.param(
            {"metrics": {"primary": {"name": "x", "source": "SQL"}}},
            "needs sql",
            id="a source without a query",
        ),
        pytest.param({"layer": {"name": "page", "share": 40}}, "layer.share", id="a ramp above its share"),
        pytest.param({"mode": "Shadow"}, "counts no units", id="a shadow with a guardrail"),
    ],
)
def test_an_experiment_that_cannot_be_meant_is_refused_at_apply(
    ns: NamespaceFixture, change: dict[str, Any], words: str
) -> None:
    assert words in ns.cluster.refusal(ns.experiment("churn-1", "churn-2", **change))


@pytest.mark.parametrize(
    ("source", "reason", "words"),
    [
        pytest.param(
            training(data=DATA | {"target": "gone"}), "ColumnMissing", "gone", id="an unknown column"
        ),
        pytest.param(
            training(data=DATA | {"uri": "http://lake.lake/no.csv"}),
            "DataNotFound",
            "no.csv",
            id="a missing file",
        ),
        pytest.param(
            training() | {"gates": [{"metric": "rocAuc", "min": 0.9999}]},
            "GateFailed",
            "0.9999",
            id="a gate not passed",
        ),
        pytest.param(
            training(algorithms=["LinearRegression"]),
            "AlgorithmUnfit",
            "LinearRegression",
            id="an algorithm for another task",
        ),
    ],
)
def test_a_version_that_fails_says_why_and_the_champion_serves_on(
    ns: NamespaceFixture, source: dict[str, Any], reason: str, words: str
) -> None:
    ns.cluster.apply(ns.model("plain"))
    ns.champion("churn-1")
    ns.cluster.apply(ns.model(source, gates=source.get("gates", [])))
    cluster, namespace = ns.cluster, ns.name
    cluster.until("amv", "churn-2", namespace, lambda s: ready(s).get("status") == "False", 120)
    condition = cluster.condition("amv", "churn-2", namespace, "Ready")
    valid = cluster.condition("amv", "churn-2", namespace, "DataValid").get("status")
    assert valid == ("False" if reason in {"ColumnMissing", "DataNotFound"} else valid)
    assert (condition["reason"], words in condition["message"]) == (reason, True), condition
    degraded = cluster.until("amodel", "churn", namespace, lambda s: is_degraded(s, reason))
    assert degraded["champion"] == "churn-1"
    cluster.expect_event("churn-2", namespace, reason, words)


def ready(status: dict[str, Any]) -> dict[str, Any]:
    return next((c for c in status.get("conditions", []) if c["type"] == "Ready"), {})


def is_degraded(status: dict[str, Any], reason: str) -> bool:
    return any(c["type"] == "Degraded" and c["reason"] == reason for c in status.get("conditions", []))


def test_a_wrong_digest_is_never_opened(ns: NamespaceFixture) -> None:
    """The predictor refuses before it reads a byte of the model, and the Model says so."""
    ns.cluster.apply(ns.model("plain"))
    ns.champion("churn-1")
    wrong = {"artifact": {"uri": "http://lake.lake/plain", "digest": "sha256:" + "0" * 64}}
    ns.cluster.apply(ns.model(wrong))
    cluster, namespace = ns.cluster, ns.name

    def refused(status: dict[str, Any]) -> bool:
        return any(
            c["type"] == "Available" and "igest" in c["reason"] + c["message"]
            for c in status.get("conditions", [])
        )

    cluster.until("amv", "churn-2", namespace, refused, 60)
    assert cluster.status("amodel", "churn", namespace)["champion"] == "churn-1"


def test_an_experiment_on_a_missing_version_waits_and_names_it(ns: NamespaceFixture) -> None:
    ns.cluster.apply(ns.model("plain"))
    ns.champion("churn-1")
    ns.cluster.apply(ns.experiment("churn-1", "churn-9"))
    status = ns.experiment_phase("exp", "Pending")
    assert any(c["reason"] == "VersionNotFound" and "churn-9" in c["message"] for c in status["conditions"])


def test_a_running_experiment_cannot_be_edited(ns: NamespaceFixture) -> None:
    versions = ns.two_versions()
    ns.cluster.apply(ns.experiment(*versions))
    ns.running()
    edited = ns.experiment(*versions, ramp=[{"percent": 40}])
    done = ns.cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(edited), check=False
    )
    assert "ramp cannot change while the Experiment runs" in done.stderr
