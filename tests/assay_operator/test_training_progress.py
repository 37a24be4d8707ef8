"""While a version is trained its status tells how far it is; as whom it may train is not its own choice."""

from typing import Any

from operated import DATA, REPORT, World

from assay_api import Ref
from assay_operator.decide.workload import PodState
from assay_operator.telemetry import metrics
from assay_operator.telemetry.studies import leading

TUNING = {"trials": 40, "parallelism": 2}
ARTIFACT = {"uri": "s3://models/churn-7.onnx", "digest": "sha256:" + "0" * 64}


class Study:
    """The leading worker of a study, and others who must not be asked."""

    def __init__(self) -> None:
        self.requested: set[str] = set()
        self.finished = 12

    def read(self, version: str, ref: Ref, pods: tuple[PodState, ...]) -> dict[str, Any]:
        leader = leading(version, pods)
        if leader is None:
            return {}
        self.requested.add(leader.address)
        counts = {"wanted": 40, "finished": self.finished, "pruned": 3, "failed": 0}
        return {"stage": "Tuning", "best": 0.83, "metric": "rocAuc", **counts}


def working(world: World, *indexes: int) -> None:
    for index in indexes:
        labels = {"assay.dev/model": "churn", "assay.dev/version": "churn-1", "assay.dev/role": "trainer"}
        ready = {"podIP": f"10.0.0.{index}", "conditions": [{"type": "Ready", "status": "True"}]}
        world.put("Pod", f"churn-1-train-{index}-x", metadata={"labels": labels}, status=ready)


def counted(state: str) -> float:
    return float(metrics.trials.labels("team", "churn", state)._value.get())


async def test_a_study_is_told_by_status_event_and_metric(world: World) -> None:
    study = Study()
    world.studies = study
    world.restart()
    world.apply_model(1, training={"data": DATA, "tuning": TUNING})
    await world.settle()
    before = counted("finished")
    working(world, 0, 1)
    await world.settle()
    assert study.requested == {"10.0.0.0"}, "only the first of the pods leads"
    assert world.condition("ModelVersion", "churn-1", "Progressing") == ("True", "Tuning")
    assert world.status("ModelVersion", "churn-1")["trials"] == {"finished": 12, "pruned": 3, "failed": 0}
    assert find(world, "Progressing")["message"] == "12 of 40 trials, best rocAuc 0.83"
    assert not [e for e in world.cluster.events.values() if e["reason"] == "Tuning"], "progress is no Event"
    study.finished = 30
    await world.settle()
    assert counted("finished") == before + 30
    world.trained("churn-1", REPORT | {"trials": {"finished": 40, "pruned": 9, "failed": 0}})
    await world.settle()
    assert counted("finished") == before + 40
    assert world.condition("ModelVersion", "churn-1", "Overfitting") == ("False", "FitAsExpected")


async def test_a_worker_that_was_killed_and_replaced_is_no_trouble_any_more(world: World) -> None:
    world.studies = Study()
    world.restart()
    world.apply_model(1, training={"data": DATA, "tuning": TUNING})
    await world.settle()
    labels = {"assay.dev/model": "churn", "assay.dev/version": "churn-1", "assay.dev/role": "trainer"}
    killed = {"state": {"terminated": {"exitCode": 137, "reason": "Error"}}}
    status = {"phase": "Failed", "containerStatuses": [killed]}
    world.put("Pod", "churn-1-train-1-killed", metadata={"labels": labels}, status=status)
    await world.settle()
    ready = find(world, "Ready")
    assert ready["message"] == "training, but a pod has a problem: Error, exit code 137"
    working(world, 0, 1)
    await world.settle()
    assert find(world, "Ready")["message"] == "12 of 40 trials, best rocAuc 0.83"


def find(world: World, kind: str) -> dict[str, Any]:
    conditions = world.status("ModelVersion", "churn-1")["conditions"]
    return next(dict(c) for c in conditions if c["type"] == kind)


async def test_an_account_that_is_not_listed_trains_nothing(world: World) -> None:
    world.apply_model(1, training={"data": DATA, "worker": {"serviceAccountName": "lake-reader"}})
    await world.settle()
    assert ("Job", "churn-1-train") not in world.cluster.bodies
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("Unknown", "NotAllowed")
    world.restart(trainer_service_accounts=("lake-reader",))
    await world.settle()
    pod = world.cluster.bodies["Job", "churn-1-train"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "lake-reader"


async def test_an_account_that_is_not_listed_serves_nothing(world: World) -> None:
    world.apply_model(1, artifact=ARTIFACT, serving={"serviceAccountName": "model-reader"})
    await world.settle()
    assert ("Deployment", "churn-1--predictor") not in world.cluster.bodies
    assert world.condition("ModelVersion", "churn-1", "Available") == ("False", "NotAllowed")
    world.restart(predictor_service_accounts=("model-reader",))
    await world.settle()
    pod = world.cluster.bodies["Deployment", "churn-1--predictor"]["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("model-reader", False)


async def test_predictors_get_the_keys_of_a_secret_by_its_name(world: World) -> None:
    world.apply_model(1, artifact=ARTIFACT, serving={"secretRef": {"name": "model-store"}})
    await world.settle()
    (container,) = world.cluster.bodies["Deployment", "churn-1--predictor"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["envFrom"] == [{"secretRef": {"name": "model-store"}}]
