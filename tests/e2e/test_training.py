"""Studies of two pods: whoever is killed, exactly the trials that were asked for; ended when nobody waits."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from people import Place
from town import Json, kill, wait

from assay_training.search.storage import journal

TRIALS = 12
DATA = {"uri": "http://lake.lake/data/churn.csv", "target": "churn", "key": "customer_id"}
FEW = {"numeric": ["total_day_minutes", "number_customer_service_calls"]}


def test_a_study_of_two_pods_survives_the_death_of_one(place: Place) -> None:
    """Data by HTTP, features few enough to be quick; the record tells the fit, the trials and the data."""
    training = {
        "data": DATA,
        "features": FEW,
        "split": {"folds": 3, "maxRows": 2000},
        "algorithms": ["LogisticRegression"],
        "tuning": {"trials": TRIALS, "parallelism": 2, "pruner": "None", "seed": 7},
    }
    place.town.apply(place.model({"training": training}, gates=[{"metric": "rocAuc", "min": 0.6}]))
    wait(lambda: len(workers(place)) == 2, 90)
    place.town.kubectl(
        "delete", "pod", "-n", place.namespace, "--grace-period=0", "--force",
        "-l", "assay.dev/version=churn-1,batch.kubernetes.io/job-completion-index=1",
    )  # fmt: skip
    place.champion("churn-1", patience=180)
    status = place.town.status("amv", "churn-1", place.namespace)
    assert status["trials"] == {"finished": TRIALS, "pruned": 0, "failed": 0}
    assert status["data"]["rows"] == 2000
    said = {c["type"]: c["status"] for c in status["conditions"]}
    assert (said["DataValid"], said["Overfitting"], said["Underfitting"]) == ("True", "False", "False")


def workers(place: Place, index: str = "") -> list[Json]:
    """Return the pods of the first version's study that run; one of them, if an index is given."""
    label = "assay.dev/version=churn-1,assay.dev/role=trainer"
    label += f",batch.kubernetes.io/job-completion-index={index}" if index else ""
    found = place.town.all("pods", place.namespace, label)
    living = [p for p in found if not p["metadata"].get("deletionTimestamp")]
    return [p for p in living if p["status"].get("phase") == "Running" and p["status"].get("podIP")]


FORTY = 40
LONG = {
    "data": DATA,
    "split": {"folds": 4, "salt": "the-same-everywhere"},
    "algorithms": ["HistGradientBoosting"],
    "metric": {"name": "rocAuc"},
    "tuning": {"trials": FORTY, "parallelism": 2, "pruner": "None", "seed": 7},
}
NOISE = 0.01  # of the best of forty, by the order in which two workers happen to finish


def finished(place: Place) -> int:
    """Ask the leader how many trials are done; 0 while there is none."""
    for pod in workers(place, "0"):
        try:
            with (
                place.town.inside(),
                urllib.request.urlopen(f"http://{pod['status']['podIP']}:9904/progress", timeout=2) as answer,
            ):
                return int(json.loads(answer.read()).get("finished", 0))
        except OSError:
            continue
    return 0


def killed(place: Place, index: str) -> None:
    """Send SIGKILL to all processes of a worker."""
    (pod,) = wait(lambda: workers(place, index), 60)
    kill(pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2])


def test_forty_trials_are_forty_trials_whoever_is_killed(place: Place, tmp_path: Path) -> None:
    """A worker, the operator, the node's kubelet and the leading worker die in turn, by SIGKILL."""
    town = place.town
    town.apply(place.model({"training": LONG}))

    def done(count: int) -> None:
        wait(lambda: finished(place) >= count, 120, told=lambda: f"{finished(place)} trials")

    done(3)
    killed(place, "1")
    done(8)
    town.kill("operator", "operator")
    done(12)
    town.back("operator")
    town.until("amv", "churn-1", place.namespace, lambda s: s.get("trials", {}).get("finished", 0) >= 8, 30)
    said = town.condition("amv", "churn-1", place.namespace, "Progressing")
    assert said["reason"] == "Tuning"
    assert "of 40 trials, best rocAuc 0." in said["message"]
    town.kill_part("kubelet")
    done(18)
    town.revive()
    killed(place, "0")
    place.champion("churn-1", patience=300)
    status = town.status("amv", "churn-1", place.namespace)
    assert status["trials"] == {"finished": FORTY, "pruned": 0, "failed": 0}
    assert [v["metadata"]["name"] for v in town.all("amv", place.namespace)] == ["churn-1"]
    assert len(town.all("jobs", place.namespace)) == 1
    survived, quiet = trials(fetched(place, tmp_path / "survived")), trials(undisturbed(tmp_path / "quiet"))
    assert len(survived) == FORTY
    assert len({json.dumps(trial.params, sort_keys=True) for trial in survived}) == FORTY, "one was run twice"
    assert abs(best(survived) - best(quiet)) < NOISE


def fetched(place: Place, into: Path) -> Path:
    """Copy the study from the Model's volume, which its predictor can read."""
    deployment = ("exec", "-n", place.namespace, "deploy/churn-1--predictor", "--", "sh", "-c")
    study = f"cd /artifacts/{place.namespace}/churn/.study"
    name = place.town.kubectl(*deployment, f"{study} && ls").stdout.strip()
    (into / name).mkdir(parents=True)
    told = place.town.kubectl(*deployment, f"{study} && cat {name}/journal.log").stdout
    (into / name / "journal.log").write_text(told)
    return into / name


def undisturbed(folder: Path) -> Path:
    """Run the same study here, with two workers whom nobody kills; return where it is kept."""
    data = DATA | {"uri": str(Path(__file__).parents[2] / "out/churn/churn.csv")}
    job = {
        "model": "churn", "namespace": "here", "version": "churn-1", "number": 1, "store": f"file://{folder}",
        "path": "here/churn/churn-1", "task": "Classification", "training": LONG | {"data": data},
    }  # fmt: skip
    own = {"ASSAY_JOB": json.dumps(job), "ASSAY_TERMINATION_LOG": os.devnull, "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-m", "assay_training"], check=True, env={**os.environ, **own})
    (study,) = (folder / "here/churn/.study").iterdir()
    return study


def trials(study: Path) -> list[FrozenTrial]:
    """Return the finished trials of a journal, and see to it that none is left open."""
    found = optuna.load_study(study_name=study.name, storage=journal(study)).trials
    assert not [trial for trial in found if trial.state == TrialState.RUNNING]
    return [trial for trial in found if trial.state in {TrialState.COMPLETE, TrialState.PRUNED}]


def best(found: list[FrozenTrial]) -> float:
    return max(trial.value for trial in found if trial.value is not None)


def test_one_failed_trial_too_many_fails_the_version_with_its_words(place: Place) -> None:
    space = {"HistGradientBoosting": {"max_leaf_nodes": {"choices": [1]}}}
    tuning = {"trials": 8, "parallelism": 2, "maxFailedTrials": 2, "space": space}
    town, namespace = place.town, place.namespace
    training = {"data": DATA, "features": FEW, "algorithms": ["HistGradientBoosting"], "tuning": tuning}
    town.apply(place.model({"training": training}))
    town.until("amv", "churn-1", namespace, lambda s: s.get("phase") == "Failed", 180)
    said = town.condition("amv", "churn-1", namespace, "Ready")
    assert (said["status"], said["reason"]) == ("False", "TrialsFailed")
    assert "tuning.maxFailedTrials is 2" in said["message"]
    assert "'max_leaf_nodes' parameter of HistGradientBoostingClassifier must be" in said["message"]
    town.told("churn-1", namespace, "TrialsFailed", "max_leaf_nodes")


def test_a_training_that_nobody_waits_for_any_more_is_ended(place: Place) -> None:
    """Its Job and pods go, its study stays: when the old spec comes back, it goes on where it was.

    The one that is wanted instead is LightGBM's, so the images are seen to train and to serve it.
    """
    town, namespace = place.town, place.namespace
    town.apply(place.model({"training": LONG}))
    wait(lambda: finished(place) >= 2, 120)
    leaves = {"import": "lightgbm.LGBMClassifier", "params": {"n_estimators": 20, "verbose": -1}}
    short = {"data": DATA, "features": FEW, "estimator": leaves, "tuning": {"trials": 1}}
    town.apply(place.model({"training": short}))
    status = town.until("amv", "churn-1", namespace, lambda s: s.get("phase") == "Superseded", 60)
    assert {c["type"]: c["status"] for c in status["conditions"]}["Degraded"] == "False"
    town.told("churn-1", namespace, "Superseded")

    def pods() -> list[Json]:
        return town.all("pods", namespace, "assay.dev/version=churn-1")

    wait(lambda: not pods(), 60, told=pods)
    assert town.get("job", "churn-1-train", namespace) is None
    place.champion("churn-2", patience=120)
    less: dict[str, Any] = LONG["tuning"] | {"trials": 3, "parallelism": 1}
    town.apply(place.model({"training": LONG | {"tuning": less}}))
    place.champion("churn-3", patience=180)
    assert town.status("amv", "churn-3", namespace)["trials"]["finished"] >= 3
    assert town.status("amv", "churn-1", namespace)["phase"] == "Superseded"
