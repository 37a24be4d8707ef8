"""Studies of two pods: whoever is killed, exactly the trials that were asked for; ended when nobody waits."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import optuna
from cluster_fixture import Json, kill, wait
from namespace_fixture import NamespaceFixture
from optuna.trial import FrozenTrial, TrialState

from assay_training.search.storage import journal

TRIALS = 12
DATA = {"uri": "http://lake.lake/data/churn.csv", "target": "churn", "key": "customer_id"}
FEW = {"numeric": ["total_day_minutes", "number_customer_service_calls"]}


def test_a_study_of_two_pods_survives_the_death_of_one(ns: NamespaceFixture) -> None:
    """Data by HTTP, features few enough to be quick; the record tells the fit, the trials and the data."""
    training = {
        "data": DATA,
        "features": FEW,
        "split": {"folds": 3, "maxRows": 2000},
        "algorithms": ["LogisticRegression"],
        "tuning": {"trials": TRIALS, "parallelism": 2, "pruner": "None", "seed": 7},
    }
    ns.cluster.apply(ns.model({"training": training}, gates=[{"metric": "rocAuc", "min": 0.6}]))
    wait(lambda: len(workers(ns)) == 2, 90)
    ns.cluster.kubectl(
        "delete", "pod", "-n", ns.name, "--grace-period=0", "--force",
        "-l", "assay.dev/version=churn-1,batch.kubernetes.io/job-completion-index=1",
    )  # fmt: skip
    ns.champion("churn-1", patience=180)
    status = ns.cluster.status("amv", "churn-1", ns.name)
    assert status["trials"] == {"finished": TRIALS, "pruned": 0, "failed": 0}
    assert status["data"]["rows"] == 2000
    condition = {c["type"]: c["status"] for c in status["conditions"]}
    assert (condition["DataValid"], condition["Overfitting"], condition["Underfitting"]) == (
        "True",
        "False",
        "False",
    )


def workers(ns: NamespaceFixture, index: str = "") -> list[Json]:
    """Return the pods of the first version's study that run; one of them, if an index is given."""
    label = "assay.dev/version=churn-1,assay.dev/role=trainer"
    label += f",batch.kubernetes.io/job-completion-index={index}" if index else ""
    found = ns.cluster.all("pods", ns.name, label)
    living = [p for p in found if not p["metadata"].get("deletionTimestamp")]
    return [p for p in living if p["status"].get("phase") == "Running" and p["status"].get("podIP")]


FORTY = 40
LONG: dict[str, Any] = {
    "data": DATA,
    "split": {"folds": 4, "salt": "the-same-everywhere"},
    "algorithms": ["HistGradientBoosting"],
    "metric": {"name": "rocAuc"},
    "tuning": {"trials": FORTY, "parallelism": 2, "pruner": "None", "seed": 7},
}
NOISE = 0.01  # of the best of forty, by the order in which two workers happen to finish


def finished(ns: NamespaceFixture) -> int:
    """Ask the leader how many trials are done; 0 while there is none."""
    for pod in workers(ns, "0"):
        try:
            with (
                ns.cluster.inside(),
                urllib.request.urlopen(f"http://{pod['status']['podIP']}:9904/progress", timeout=2) as answer,
            ):
                return int(json.loads(answer.read()).get("finished", 0))
        except OSError:
            continue
    return 0


def killed(ns: NamespaceFixture, index: str) -> None:
    """Send SIGKILL to all processes of a worker."""
    (pod,) = wait(lambda: workers(ns, index), 60)
    kill(pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2])


def test_forty_trials_are_forty_trials_whoever_is_killed(ns: NamespaceFixture, tmp_path: Path) -> None:
    """A worker, the operator, the node's kubelet and the leading worker die in turn, by SIGKILL."""
    cluster = ns.cluster
    cluster.apply(ns.model({"training": LONG}))

    def done(count: int) -> None:
        wait(lambda: finished(ns) >= count, 120, state=lambda: f"{finished(ns)} trials")

    done(3)
    killed(ns, "1")
    done(8)
    cluster.kill("operator", "operator")
    done(12)
    cluster.back("operator")
    cluster.until("amv", "churn-1", ns.name, lambda s: s.get("trials", {}).get("finished", 0) >= 8, 30)
    condition = cluster.condition("amv", "churn-1", ns.name, "Progressing")
    assert condition["reason"] == "Tuning"
    assert "of 40 trials, best rocAuc 0." in condition["message"]
    cluster.kill_part("kubelet")
    done(18)
    cluster.revive()
    killed(ns, "0")
    ns.champion("churn-1", patience=300)
    status = cluster.status("amv", "churn-1", ns.name)
    assert status["trials"] == {"finished": FORTY, "pruned": 0, "failed": 0}
    assert [v["metadata"]["name"] for v in cluster.all("amv", ns.name)] == ["churn-1"]
    assert len(cluster.all("jobs", ns.name)) == 1
    survived, quiet = trials(fetched(ns, tmp_path / "survived")), trials(undisturbed(tmp_path / "quiet"))
    assert len(survived) == FORTY
    assert len({json.dumps(trial.params, sort_keys=True) for trial in survived}) == FORTY, "one was run twice"
    assert abs(best(survived) - best(quiet)) < NOISE


def fetched(ns: NamespaceFixture, into: Path) -> Path:
    """Copy the study from the Model's volume, which its predictor can read."""
    deployment = ("exec", "-n", ns.name, "deploy/churn-1--predictor", "--", "sh", "-c")
    study = f"cd /artifacts/{ns.name}/churn/.study"
    name = ns.cluster.kubectl(*deployment, f"{study} && ls").stdout.strip()
    (into / name).mkdir(parents=True)
    copied = ns.cluster.kubectl(*deployment, f"{study} && cat {name}/journal.log").stdout
    (into / name / "journal.log").write_text(copied)
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


def test_one_failed_trial_too_many_fails_the_version_with_its_words(ns: NamespaceFixture) -> None:
    space = {"HistGradientBoosting": {"max_leaf_nodes": {"choices": [1]}}}
    tuning = {"trials": 8, "parallelism": 2, "maxFailedTrials": 2, "space": space}
    cluster, namespace = ns.cluster, ns.name
    training = {"data": DATA, "features": FEW, "algorithms": ["HistGradientBoosting"], "tuning": tuning}
    cluster.apply(ns.model({"training": training}))
    cluster.until("amv", "churn-1", namespace, lambda s: s.get("phase") == "Failed", 180)
    condition = cluster.condition("amv", "churn-1", namespace, "Ready")
    assert (condition["status"], condition["reason"]) == ("False", "TrialsFailed")
    assert "tuning.maxFailedTrials is 2" in condition["message"]
    assert "'max_leaf_nodes' parameter of HistGradientBoostingClassifier must be" in condition["message"]
    cluster.expect_event("churn-1", namespace, "TrialsFailed", "max_leaf_nodes")


def test_a_training_that_nobody_waits_for_any_more_is_ended(ns: NamespaceFixture) -> None:
    """Its Job and pods go, its study stays: when the old spec comes back, it goes on where it was.

    The one that is wanted instead is LightGBM's, so the images are seen to train and to serve it.
    """
    cluster, namespace = ns.cluster, ns.name
    cluster.apply(ns.model({"training": LONG}))
    wait(lambda: finished(ns) >= 2, 120)
    leaves = {"import": "lightgbm.LGBMClassifier", "params": {"n_estimators": 20, "verbose": -1}}
    short = {"data": DATA, "features": FEW, "estimator": leaves, "tuning": {"trials": 1}}
    cluster.apply(ns.model({"training": short}))
    status = cluster.until("amv", "churn-1", namespace, lambda s: s.get("phase") == "Superseded", 60)
    assert {c["type"]: c["status"] for c in status["conditions"]}["Degraded"] == "False"
    cluster.expect_event("churn-1", namespace, "Superseded")

    def pods() -> list[Json]:
        return cluster.all("pods", namespace, "assay.dev/version=churn-1")

    wait(lambda: not pods(), 60, state=pods)
    assert cluster.get("job", "churn-1-train", namespace) is None
    ns.champion("churn-2", patience=120)
    less: dict[str, Any] = LONG["tuning"] | {"trials": 3, "parallelism": 1}
    cluster.apply(ns.model({"training": LONG | {"tuning": less}}))
    ns.champion("churn-3", patience=180)
    assert cluster.status("amv", "churn-3", namespace)["trials"]["finished"] >= 3
    assert cluster.status("amv", "churn-1", namespace)["phase"] == "Superseded"
