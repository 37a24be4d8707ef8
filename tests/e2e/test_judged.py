"""A user's own Bento meets its gates on its owner's rows before it may get traffic."""

from functools import partial
from typing import Any

from people import Place
from town import wait

FRIENDLY = "http://lake.lake/held/friendly.csv"  # customers for whom the Bento has no bug
EVERYBODY = "http://lake.lake/held/everybody.csv"


def judged(place: Place, uri: str, *gates: dict[str, Any]) -> dict[str, Any]:
    """Return a Model that serves the town's Bento if it passes these gates."""
    data = {"uri": uri, "target": "churn", "key": "customer_id"}
    return place.model("faulty", evaluation={"data": data}, gates=list(gates))


def test_a_bento_serves_once_it_has_passed(place: Place) -> None:
    town, namespace = place.town, place.namespace
    gates = [{"metric": "accuracy", "min": 0.8}, {"metric": "latencyMs", "max": 10_000}]
    town.apply(judged(place, FRIENDLY, *gates))
    place.champion("churn-1", patience=180)
    status = town.status("amv", "churn-1", namespace)
    assert [gate["passed"] for gate in status["gates"]] == [True, True]
    assert status["metrics"]["test"]["accuracy"] > 0.8
    assert town.condition("amv", "churn-1", namespace, "DataValid")["status"] == "True"
    assert "sha256:" in status["environment"]["judged"]
    job = partial(town.get, "job", "churn-1-train", namespace)
    wait(lambda: (job() or {})["status"].get("succeeded") == 1, 30, told=job)  # so the sidecar has ended too


def test_a_bento_that_fails_for_some_rows_gets_no_traffic(place: Place) -> None:
    """The bug that only traffic finds is found before; the row and the answer are named."""
    town, namespace = place.town, place.namespace
    town.apply(place.model("plain"))
    place.champion("churn-1")
    town.apply(judged(place, EVERYBODY, {"metric": "recall", "min": 0.1}))
    town.until("amv", "churn-2", namespace, lambda s: s.get("phase") == "Failed", 180)
    said = town.condition("amv", "churn-2", namespace, "Ready")
    assert said["reason"] == "InfraCheckFailed"
    assert "answered 500" in said["message"]
    assert "for the row whose customer_id is c-" in said["message"]
    town.told("churn-2", namespace, "InfraCheckFailed")
    assert town.get("deployment", "churn-2--predictor", namespace) is None
    assert town.status("amodel", "churn", namespace)["champion"] == "churn-1"


def test_a_version_meets_a_champion_that_is_a_bento(place: Place) -> None:
    """The champion is asked where it serves, and a bar that it sets is not passed unseen."""
    town, namespace = place.town, place.namespace
    town.apply(judged(place, FRIENDLY, {"metric": "accuracy", "min": 0.8}))
    place.champion("churn-1", patience=180)
    data = {"uri": FRIENDLY, "target": "churn", "key": "customer_id"}
    gates = [{"metric": "accuracy", "notWorseThanChampionBy": 0.5}, {"metric": "accuracy", "min": 0.999}]
    town.apply(place.model("plain", evaluation={"data": data}, gates=gates))
    status = town.until("amv", "churn-2", namespace, lambda s: s.get("phase") == "Rejected", 180)
    assert "against the champion's 0." in status["gates"][0]["message"]
    assert [gate["passed"] for gate in status["gates"]] == [True, False]
    assert status["metrics"]["test"]["accuracy"] > 0.5, "a rejected version keeps its evidence"
    assert town.status("amodel", "churn", namespace)["champion"] == "churn-1"
