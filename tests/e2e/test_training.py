"""A study of two pods, one of which is killed: exactly the trials that were asked for, and then it serves."""

from people import Place
from town import wait

TRIALS = 12


def test_a_study_of_two_pods_survives_the_death_of_one(place: Place) -> None:
    """Data by HTTP, features few enough to be quick; the record tells the fit, the trials and the data."""
    town, namespace = place.town, place.namespace
    training = {
        "data": {"uri": "http://lake.lake/data/churn.csv", "target": "churn", "key": "customer_id"},
        "features": {"numeric": ["total_day_minutes", "number_customer_service_calls"]},
        "split": {"folds": 3, "maxRows": 2000},
        "algorithms": ["LogisticRegression"],
        "tuning": {"trials": TRIALS, "parallelism": 2, "pruner": "None", "seed": 7},
    }
    town.apply(place.model({"training": training}, gates=[{"metric": "rocAuc", "min": 0.6}]))

    def workers() -> list[dict[str, object]]:
        found = town.all("pods", namespace, "assay.dev/version=churn-1,assay.dev/role=trainer")
        return [p for p in found if p["status"].get("phase") == "Running"]

    wait(lambda: len(workers()) == 2, 90)
    town.kubectl(
        "delete", "pod", "-n", namespace, "--grace-period=0", "--force",
        "-l", "assay.dev/version=churn-1,batch.kubernetes.io/job-completion-index=1",
    )  # fmt: skip
    place.champion("churn-1", patience=180)
    status = town.status("amv", "churn-1", namespace)
    assert status["trials"] == {"finished": TRIALS, "pruned": 0, "failed": 0}
    assert status["data"]["rows"] == 2000
    said = {c["type"]: c["status"] for c in status["conditions"]}
    assert (said["DataValid"], said["Overfitting"], said["Underfitting"]) == ("True", "False", "False")
