"""A rollout template that names further versions: what the next Experiment tests, and what is kept for it."""

from datetime import timedelta
from typing import Any

import pytest
from operated import CHURN, ROLLOUT, World, merged, two_versions

from assay_api import Model
from assay_operator.manifests.owned import experiment

FURTHER = ({"name": "old", "weight": 20, "version": "churn-2"},)


def arms(*further: dict[str, Any], control: int = 40) -> dict[str, Any]:
    new = 100 - control - sum(arm["weight"] for arm in further)
    two = [{"name": "control", "weight": control}, {"name": "candidate", "weight": new}]
    return {"experiment": {"arms": [*two, *further]}}


def model(*further: dict[str, Any]) -> Model:
    metadata = {"name": "churn", "namespace": "team", "uid": "uid-1"}
    spec = {"image": {"image": "x"}, "rollout": merged(ROLLOUT, arms(*further))}
    return Model.model_validate({"metadata": metadata, "spec": spec})


@pytest.mark.parametrize(
    ("champion", "candidate", "expected"),
    [
        pytest.param(
            "churn-1", "churn-3", {"churn-1": 40, "churn-3": 40, "churn-2": 20}, id="three versions"
        ),
        pytest.param("churn-2", "churn-3", {"churn-2": 40, "churn-3": 60}, id="the named one is champion"),
        pytest.param("churn-1", "churn-2", {"churn-1": 40, "churn-2": 60}, id="the named one is the new one"),
    ],
)
def test_no_version_has_two_arms_and_the_weights_still_add_up(
    champion: str, candidate: str, expected: dict[str, int]
) -> None:
    made = experiment(model(*FURTHER), champion, candidate, "exp")["spec"]["arms"]
    assert {arm["version"]: arm["weight"] for arm in made} == expected
    assert [arm["name"] for arm in made] == ["control", "candidate", "old"][: len(expected)]


async def test_a_third_version_meets_the_champion_beside_the_one_that_the_template_names(
    world: World,
) -> None:
    await two_versions(world, rollout=ROLLOUT)
    world.answers("churn-2")
    await world.settle(CHURN)
    world.apply_model(3, image={"image": "three"}, rollout=merged(ROLLOUT, arms(*FURTHER)))
    await world.settle(CHURN)
    world.answers("churn-3")
    await world.settle(CHURN)
    spec = world.cluster.bodies["Experiment", "churn-3-g3"]["spec"]
    assert [arm["version"] for arm in spec["arms"]] == ["churn-1", "churn-3", "churn-2"]
    assert world.status("Experiment", "churn-3-g3")["phase"] == "Running"
    assert world.status("Experiment", "churn-2-g2")["decision"]["reason"] == "SupersededBySpec"


async def test_a_version_that_the_template_names_is_not_removed_with_the_history(world: World) -> None:
    kept = {
        "history": {"keep": 1},
        "rollout": {"strategy": "Replace", **arms({**FURTHER[0], "version": "churn-1"})},
    }
    spec = merged({"rollout": ROLLOUT}, kept)
    for number in range(1, 5):
        world.apply_model(number, image={"image": str(number)}, **spec)
        await world.settle(CHURN)
        world.answers(f"churn-{number}")
        await world.settle(CHURN)
        world.moment += timedelta(minutes=10)
        await world.settle(CHURN)
    versions = {name for kind, name in world.cluster.bodies if kind == "ModelVersion"}
    assert "churn-1" in versions
    assert "churn-2" not in versions
