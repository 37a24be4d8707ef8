"""The Job of a training: secrets by reference, workers as the spec wants them."""

import json
from typing import Any

import pytest

from assay_api import Model, ModelVersion
from assay_operator.decide.rollout import predecessor
from assay_operator.decide.training import untrained
from assay_operator.kube.workload import pod as pod_state
from assay_operator.manifests.job import job
from assay_operator.manifests.platform import ArtifactStore, Platform

DATA = {"uri": "s3://lake/churn.csv", "target": "churn", "key": "id"}


def meta(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": "team", "uid": f"uid-{name}"}


def version(training: dict[str, Any], number: int = 2, **status: Any) -> ModelVersion:
    source = {"task": "Classification", "training": {"data": DATA} | training}
    spec = {"modelRef": {"name": "churn"}, "number": number, "source": source, "sourceDigest": "sha256:0"}
    name = f"churn-{number}"
    return ModelVersion.model_validate({"metadata": meta(name), "spec": spec, "status": status})


def made(training: dict[str, Any], store: str = "", **others: ModelVersion) -> dict[str, Any]:
    spec = {"training": {"data": DATA} | training}
    model = Model.model_validate({"metadata": meta("churn"), "spec": spec})
    platform = Platform("predictor", "trainer", store=ArtifactStore(store))
    spec_: dict[str, Any] = dict(job(model, version(training), others, platform))["spec"]
    return spec_


def container(spec: dict[str, Any]) -> dict[str, Any]:
    (only,) = spec["template"]["spec"]["containers"]
    return dict(only)


@pytest.mark.parametrize(
    ("training", "store", "workers"),
    [
        pytest.param({}, "", None, id="one worker is a plain Job"),
        pytest.param({"tuning": {"parallelism": 3}}, "", 3, id="workers share the Model's volume"),
        pytest.param({"tuning": {"parallelism": 3}}, "s3://bucket", None, id="nothing to share: one pod"),
        pytest.param(
            {"tuning": {"parallelism": 3, "storage": {"urlSecretRef": {"name": "pg"}}}},
            "s3://bucket",
            3,
            id="workers share a database",
        ),
    ],
)
def test_workers_are_pods_where_they_can_share_the_study(
    training: dict[str, Any], store: str, workers: int | None
) -> None:
    spec = made(training, store)
    assert spec.get("completions") == spec.get("parallelism") == workers
    assert spec.get("completionMode") == ("Indexed" if workers else None)


def test_secrets_are_named_and_never_copied() -> None:
    sql = {"uri": None, "sql": {"urlSecretRef": {"name": "warehouse", "key": "dsn"}, "query": "SELECT 1"}}
    storage = {"storage": {"urlSecretRef": {"name": "pg"}}}
    training = {"data": DATA | sql | {"secretRef": {"name": "lake"}}, "tuning": storage}
    found = container(made({k: v for k, v in training.items() if k != "data"} | {"data": training["data"]}))
    refs = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in found["env"] if "valueFrom" in one}
    assert refs == {
        "ASSAY_SQL_URL": {"name": "warehouse", "key": "dsn"},
        "ASSAY_STUDY_URL": {"name": "pg", "key": "url"},
    }
    assert found["envFrom"] == [{"secretRef": {"name": "lake"}}]


def test_workers_get_what_the_spec_asks_for_and_where() -> None:
    worker = {
        "resources": {"requests": {"memory": "4Gi"}, "limits": {"cpu": "2500m", "nvidia.com/gpu": "1"}},
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "serviceAccountName": "lake-reader",
    }
    spec = made({"worker": worker})
    pod, found = spec["template"]["spec"], container(spec)
    assert found["resources"] == {
        "requests": {"cpu": "100m", "memory": "4Gi"},
        "limits": {"memory": "4Gi", "cpu": "2500m", "nvidia.com/gpu": "1"},
    }
    assert {"name": "OMP_NUM_THREADS", "value": "2"} in found["env"]
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("lake-reader", False)


def test_a_limit_below_the_default_request_is_one() -> None:
    limits = container(made({"worker": {"resources": {"limits": {"memory": "256Mi"}}}}))["resources"]
    assert limits["requests"]["memory"] == limits["limits"]["memory"] == "256Mi"


def test_a_version_hears_of_the_one_before_it_that_was_trained() -> None:
    stored = {"artifact": {"uri": "file:///a", "digest": "sha256:1"}}
    family = (version({}, 1, **stored), version({}, 2), version({}, 3), version({}, 4, **stored))
    assert predecessor(family, family[2]) == family[0]
    assert predecessor(family, family[0]) is None
    order_ = next(
        one["value"] for one in container(made({}, before=family[0]))["env"] if one["name"] == "ASSAY_JOB"
    )
    assert '"before": {"digest": "sha256:1", "uri": "file:///a"}' in order_


def test_an_artifact_with_gates_is_judged_by_a_job_before_it_serves() -> None:
    artifact = {"uri": "s3://models/churn", "digest": "sha256:" + "0" * 64}
    spec = {
        "artifact": artifact,
        "evaluation": {"data": DATA | {"secretRef": {"name": "lake"}}},
        "gates": [{"metric": "recall", "min": 0.8}],
    }
    model = Model.model_validate({"metadata": meta("churn"), "spec": spec})
    body = version({}).model_dump(mode="json", by_alias=True)
    source = model.spec.source.model_dump(mode="json", by_alias=True, exclude_none=True)
    judged = ModelVersion.model_validate(body | {"spec": body["spec"] | {"source": source}})
    assert untrained(judged.spec.source) is None
    found = container(dict(job(model, judged, {}, Platform("predictor", "trainer")))["spec"])
    order_ = json.loads(next(one["value"] for one in found["env"] if one["name"] == "ASSAY_JOB"))
    assert order_["artifact"]["digest"] == artifact["digest"]
    assert order_["evaluation"]["data"]["uri"] == DATA["uri"]
    assert "training" not in order_
    assert found["envFrom"] == [{"secretRef": {"name": "lake"}}]
    plain = model.spec.source.model_copy(update={"evaluation": None, "gates": ()})
    assert untrained(plain) is not None


def test_a_champions_pickle_may_be_opened_where_its_own_version_was_allowed_to() -> None:
    lies = {"uri": "s3://models/churn.pkl", "digest": "sha256:" + "0" * 64}
    brought = version({}, 1, artifact=lies)
    source = brought.spec.source.model_dump(by_alias=True, exclude={"training"})
    spec = {
        **brought.spec.model_dump(by_alias=True),
        "source": {**source, "artifact": lies | {"allowPickle": True}},
    }
    pickled = ModelVersion.model_validate({**brought.model_dump(by_alias=True), "spec": spec})
    order_ = [
        json.loads(
            next(
                one["value"]
                for one in container(made({}, champion=champion))["env"]
                if one["name"] == "ASSAY_JOB"
            )
        )
        for champion in (pickled, brought)
    ]
    assert [one["champion"] for one in order_] == [lies | {"allowPickle": True}, lies]


IMAGE: dict[str, Any] = {
    "image": {"image": "shop/churn:7", "port": 3001},
    "evaluation": {"data": DATA | {"secretRef": {"name": "lake"}}},
    "gates": [{"metric": "recall", "min": 0.8}],
}


def brought(number: int = 2, **spec: Any) -> tuple[Model, ModelVersion]:
    """Return a Model that brings an image, and its version."""
    model = Model.model_validate({"metadata": meta("churn"), "spec": IMAGE | spec})
    body = version({}, number).model_dump(mode="json", by_alias=True)
    source = model.spec.source.model_dump(mode="json", by_alias=True, exclude_none=True)
    return model, ModelVersion.model_validate(body | {"spec": body["spec"] | {"source": source}})


def order(pod: dict[str, Any]) -> dict[str, Any]:
    (trainer,) = pod["containers"]
    return dict(json.loads(next(one["value"] for one in trainer["env"] if one["name"] == "ASSAY_JOB")))


def test_an_image_with_gates_runs_beside_the_job_that_asks_it() -> None:
    model, judged = brought(serving={"resources": {"limits": {"memory": "2Gi"}}})
    assert untrained(judged.spec.source) is None
    pod = dict(job(model, judged, {}, Platform("predictor", "trainer")))["spec"]["template"]["spec"]
    (beside,), (trainer,) = pod["initContainers"], pod["containers"]
    assert (beside["image"], beside["restartPolicy"]) == ("shop/churn:7", "Always")
    assert beside["resources"]["limits"]["memory"] == "2Gi"
    assert order(pod)["image"]["port"] == 3001
    assert trainer["envFrom"] == [{"secretRef": {"name": "lake"}}]
    assert "envFrom" not in beside, "the data's secret is not for the image"
    names = [{mount["name"] for mount in one["volumeMounts"]} for one in (beside, trainer)]
    assert not names[0] & names[1], "and neither is the file with the answers"
    assert beside["securityContext"] == trainer["securityContext"]


def test_an_image_without_evaluation_serves_as_it_is() -> None:
    _, plain = brought(evaluation=None, gates=())
    assert untrained(plain.spec.source) is not None


def test_a_champion_that_is_an_image_is_asked_where_it_serves() -> None:
    _, champion = brought(1, evaluation=IMAGE["evaluation"] | {"columns": ["age"]})
    model, judged = brought()
    for body in (
        job(model, judged, {"champion": champion}, Platform("predictor", "trainer")),
        {"spec": made({}, champion=champion)},
    ):
        order_ = order(body["spec"]["template"]["spec"])["champion"]
        assert order_ == {
            "service": "http://churn-1--predictor.team.svc",
            "path": "/predict",
            "columns": ["age"],
        }


@pytest.mark.parametrize(
    ("allowed", "worker", "account"),
    [
        pytest.param(("bento",), None, "bento", id="an allowed account of its predictors"),
        pytest.param((), None, None, id="never one that is not allowed"),
        pytest.param(("bento",), "lake-reader", "lake-reader", id="the worker's own goes first"),
    ],
)
def test_whose_identity_a_judged_image_has(
    allowed: tuple[str, ...], worker: str | None, account: str | None
) -> None:
    evaluation = {"data": DATA} | ({"worker": {"serviceAccountName": worker}} if worker else {})
    model, judged = brought(serving={"serviceAccountName": "bento"}, evaluation=evaluation)
    platform = Platform("predictor", "trainer", predictor_service_accounts=allowed)
    pod = dict(job(model, judged, {}, platform))["spec"]["template"]["spec"]
    assert pod.get("serviceAccountName") == account


def test_an_image_that_cannot_be_pulled_is_named_while_the_job_waits() -> None:
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    status = {"initContainerStatuses": [{"state": {"waiting": waiting}}]}
    assert pod_state({"metadata": {"name": "p"}, "status": status}).trouble == "ErrImagePull: no such image"
    running = {"initContainerStatuses": [{"imageID": "shop/churn@sha256:1", "state": {"running": {}}}]}
    assert pod_state({"metadata": {"name": "p"}, "status": running}).sidecar_image_id == "shop/churn@sha256:1"
