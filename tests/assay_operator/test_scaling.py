"""How many pods a version has, who may change that, and what they are told."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from operated import CHURN, World, two_versions
from pydantic import ValidationError

from assay_api.serving import Scaling, Serving
from assay_drift.token import holder
from assay_operator.manifests.scaling import replicas_wanted

BOUNDS = {"replicas": 2, "max_replicas": 5}
PREDICTOR = "churn-1--predictor"
GIVEN: dict[str, Any] = {"artifact": {"uri": "file:///a", "digest": "sha256:" + "0" * 64}}


@pytest.mark.parametrize(
    ("serving", "live", "warm", "count"),
    [
        pytest.param({}, None, True, 1, id="one, when nothing is said"),
        pytest.param({"replicas": 3}, 1, True, 3, id="so many as are asked for"),
        pytest.param({"replicas": 3}, 5, True, 3, id="and no more, whoever made more"),
        pytest.param(BOUNDS, None, True, 2, id="a new version begins with the fewest"),
        pytest.param(BOUNDS, 4, True, 4, id="what an autoscaler chose is right"),
        pytest.param(BOUNDS, 9, True, 5, id="up to its bound"),
        pytest.param(BOUNDS, 1, True, 2, id="down to its bound"),
        pytest.param(BOUNDS, 0, True, 2, id="back from none, which no autoscaler leaves by itself"),
        pytest.param(BOUNDS, 4, False, 0, id="none without traffic"),
        pytest.param({"replicas": 2, "max_replicas": 2}, 4, True, 2, id="bounds that leave no choice"),
    ],
)
def test_the_number_of_pods(serving: dict[str, Any], live: int | None, warm: bool, count: int) -> None:  # noqa: FBT001
    assert replicas_wanted(Serving(**serving), live, warm=warm) == count


@pytest.mark.parametrize(
    ("serving", "message"),
    [
        pytest.param({"replicas": 3, "maxReplicas": 2}, "must not be less", id="a most below the fewest"),
        pytest.param(
            {"maxReplicas": 2, "resources": {"requests": {"memory": "1Gi"}}},
            "what 100% is",
            id="a share of nothing",
        ),
        pytest.param({"capture": {"sample": 0}}, "sample", id="an empty sample"),
    ],
)
def test_what_cannot_be_meant_is_refused(serving: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Serving.model_validate(serving)


def live(world: World, kind: str = "Deployment") -> dict[str, Any]:
    found: dict[str, Any] = world.cluster.bodies[kind, PREDICTOR]["spec"]
    return found


async def served(world: World, generation: int = 1, **serving: Any) -> None:
    world.apply_model(generation, **GIVEN, serving=serving)
    await world.settle()
    world.answers("churn-1")
    await world.settle()


async def test_an_autoscaler_decides_within_its_bounds_and_is_not_fought(world: World) -> None:
    await served(world, replicas=2, maxReplicas=6, scaling={"cpu": 50, "inFlight": 8, "downAfter": "2m"})
    scaler = live(world, "HorizontalPodAutoscaler")
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["scaleTargetRef"]["name"] == PREDICTOR
    assert [metric["type"] for metric in scaler["metrics"]] == ["Resource", "Pods"]
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert scaler["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 120
    assert live(world)["replicas"] == 2
    world.put("Deployment", PREDICTOR, spec={"replicas": 5})  # the autoscaler's
    before = world.cluster.writes["Deployment"]
    await world.settle()
    assert live(world)["replicas"] == 5
    assert world.cluster.writes["Deployment"] == before
    await served(world, 2, replicas=2, maxReplicas=6, resources={"requests": {"cpu": "1", "memory": "1Gi"}})
    assert live(world)["replicas"] == 5, "other resources are no other number"


async def test_without_bounds_any_more_the_autoscaler_goes_and_the_number_counts(world: World) -> None:
    await served(world, replicas=2, maxReplicas=6)
    world.put("Deployment", PREDICTOR, spec={"replicas": 5})
    await served(world, 2, replicas=3)
    assert ("HorizontalPodAutoscaler", PREDICTOR) not in world.cluster.bodies
    assert live(world)["replicas"] == 3


async def test_several_pods_have_a_disruption_budget_and_a_single_one_has_none(world: World) -> None:
    await served(world, replicas=2)
    assert live(world, "PodDisruptionBudget")["maxUnavailable"] == 1
    await served(world, 2, replicas=1)
    assert ("PodDisruptionBudget", PREDICTOR) not in world.cluster.bodies


async def test_a_version_out_of_traffic_has_no_pod_and_no_autoscaler(world: World) -> None:
    await two_versions(world, serving={"replicas": 2, "maxReplicas": 4})
    world.answers("churn-2")
    await world.settle()
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    assert live(world)["replicas"] == 2, "warm for its window"
    world.moment += timedelta(minutes=2)
    await world.settle()
    assert live(world)["replicas"] == 0
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert (kind, PREDICTOR) not in world.cluster.bodies
        assert (kind, "churn-2--predictor") in world.cluster.bodies


async def test_pods_prefer_different_nodes_and_are_replaced_one_by_one(world: World) -> None:
    await served(world, replicas=2)
    keys = [each["topologyKey"] for each in live(world)["template"]["spec"]["topologySpreadConstraints"]]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert live(world)["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


async def test_the_model_says_what_an_autoscaler_of_its_own_would_ask(world: World) -> None:
    await served(world)
    status = world.status("Model", "churn")
    assert (status["replicas"], status["selector"]) == (
        1,
        "assay.dev/role=predictor,assay.dev/version=churn-1",
    )


def environment(world: World, name: str = PREDICTOR) -> dict[str, str]:
    spec = world.cluster.bodies["Deployment", name]["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


async def test_a_pickle_is_opened_only_after_an_explicit_yes(world: World) -> None:
    await served(world)
    assert environment(world)["ASSAY_ALLOW_PICKLE"] == "0", "said here, so that no Secret can say otherwise"
    artifact = GIVEN["artifact"] | {"format": "Joblib", "allowPickle": True}
    world.apply_model(2, artifact=artifact)
    await world.settle()
    (container,) = world.cluster.bodies["Deployment", "churn-2--predictor"]["spec"]["template"]["spec"][
        "containers"
    ]
    variables = {each["name"]: each["value"] for each in container["env"]}
    assert (variables["ASSAY_ALLOW_PICKLE"], variables["ASSAY_FORMAT"]) == ("1", "joblib")


async def test_rows_are_counted_when_the_model_asks_under_a_token_of_the_namespace(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "predictor").write_text("key")
    world.restart(tokens_dir=tmp_path)
    await served(world)
    assert "ASSAY_CAPTURE" not in environment(world)
    assert ("Secret", "assay-predictor") not in world.cluster.bodies
    await served(world, 2, capture={"sample": 0.1, "exclude": ["name"], "interval": "30s"})
    variables = environment(world)
    assert json.loads(variables["ASSAY_CAPTURE"]) == {"sample": 0.1, "exclude": ["name"]}
    assert (variables["ASSAY_CAPTURE_SECONDS"], variables["ASSAY_TOKEN_FILE"]) == (
        "30",
        "/etc/assay/tokens/predictor",
    )
    secret = world.cluster.bodies["Secret", "assay-predictor"]
    assert secret["metadata"]["namespace"] == "team"
    (volume,) = [v for v in live(world)["template"]["spec"]["volumes"] if "secret" in v]
    assert volume["secret"]["optional"] is True
    assert "team." not in json.dumps(live(world)), "no token in a pod's spec"


async def test_a_namespace_that_was_deleted_and_comes_again_gets_its_token_anew(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "predictor").write_text("key")
    world.restart(tokens_dir=tmp_path)
    await served(world, capture={})
    assert world.cluster.bodies.pop(("Secret", "assay-predictor"))
    while world.cluster.bodies:
        world.store.drop(world.cluster.bodies.popitem()[1])
    await world.reconcile(CHURN)
    await served(world, capture={})
    assert ("Secret", "assay-predictor") in world.cluster.bodies


async def test_the_token_is_written_once_and_a_foreign_secret_is_left_alone(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "predictor").write_text("key")
    world.restart(tokens_dir=tmp_path)
    theirs = {
        "kind": "Secret",
        "metadata": {"name": "assay-predictor", "namespace": "team"},
        "data": {"a": "b"},
    }
    world.cluster._keep(theirs)
    await served(world, capture={})
    assert "predictor" not in world.cluster.bodies["Secret", "assay-predictor"]["data"]
    assert live(world)["replicas"] == 1, "it serves, and its counts wait"
    del world.cluster.bodies["Secret", "assay-predictor"]
    world.restart()
    before = world.cluster.writes["Secret"]
    for _ in range(5):
        await world.settle()
    assert world.cluster.writes["Secret"] == before + 1
    assert holder(b"key", "team.x") is None


def test_defaults_are_those_of_a_small_service() -> None:
    assert (Serving().replicas, Serving().scales, Serving().capture, Scaling().cpu) == (1, False, None, 70)


async def test_a_cluster_that_refuses_the_autoscaler_has_pods_all_the_same(world: World) -> None:
    world.cluster.refuses = "HorizontalPodAutoscaler"
    world.apply_model(1, **GIVEN, serving={"replicas": 2, "maxReplicas": 3})
    await world.settle(CHURN)
    assert live(world)["replicas"] == 2
