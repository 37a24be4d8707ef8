"""A training that nobody waits for any more is ended, and goes on where it was if it is wanted again."""

from operated import CHURN, DATA, REPORT, World

JOB = ("Job", "churn-1-train")
EXPERIMENT = {
    "modelRef": {"name": "churn"},
    "arms": [
        {"name": "control", "version": "churn-2", "weight": 50},
        {"name": "candidate", "version": "churn-1", "weight": 50},
    ],
    "metrics": {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]},
}


def wish(world: World, generation: int, trials: int) -> None:
    world.apply_model(generation, training={"data": DATA, "tuning": {"trials": trials}})


async def gone(world: World) -> None:
    """Settle, and let the watch say what was deleted: the store learns nothing from a deletion itself."""
    await world.settle()
    world.restart()
    await world.settle()


async def overtaken() -> World:
    """A version in training, and a spec that asks for another."""
    world = World()
    wish(world, 1, trials=10)
    await world.settle()
    assert JOB in world.cluster.bodies
    wish(world, 2, trials=20)
    await gone(world)
    return world


async def test_a_new_spec_ends_the_training_of_the_old_one() -> None:
    world = await overtaken()
    assert JOB not in world.cluster.bodies
    assert ("Job", "churn-2-train") in world.cluster.bodies
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("False", "Superseded")
    assert world.condition("ModelVersion", "churn-1", "Degraded")[0] == "False"
    assert world.status("ModelVersion", "churn-1")["phase"] == "Superseded"
    events = [e for e in world.cluster.events.values() if e["reason"] == "Superseded"]
    assert [(e["involvedObject"]["name"], e["type"]) for e in events] == [("churn-1", "Normal")]
    assert "training was ended" in events[0]["message"]


async def test_nothing_is_written_when_it_is_looked_at_again() -> None:
    world = await overtaken()
    before = world.cluster.version
    await world.reconcile(CHURN)
    assert world.cluster.version == before


async def test_a_training_that_has_ended_by_then_keeps_its_result() -> None:
    world = World()
    wish(world, 1, trials=10)
    await world.settle()
    world.trained("churn-1", REPORT)
    wish(world, 2, trials=20)
    await gone(world)
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("True", "GatesPassed")
    assert JOB in world.cluster.bodies


async def test_one_that_an_experiment_waits_for_goes_on() -> None:
    world = World()
    wish(world, 1, trials=10)
    await world.settle()
    world.put("Experiment", "by-hand", metadata={"generation": 1}, spec=EXPERIMENT)
    wish(world, 2, trials=20)
    await gone(world)
    assert JOB in world.cluster.bodies
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("Unknown", "Training")


async def test_a_spec_that_comes_back_trains_the_same_version_again() -> None:
    world = await overtaken()
    wish(world, 3, trials=10)
    await gone(world)
    assert JOB in world.cluster.bodies
    assert ("Job", "churn-2-train") not in world.cluster.bodies
    assert ("ModelVersion", "churn-3") not in world.cluster.bodies
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("Unknown", "Training")
    world.trained("churn-1", REPORT | {"data": {"rows": 10}})
    await world.settle()
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("True", "GatesPassed")
    assert world.status("ModelVersion", "churn-1")["environment"]["image"] == "assay-trainer:latest"
    assert world.condition("ModelVersion", "churn-2", "Ready") == ("False", "Superseded")


async def test_a_job_that_appears_late_is_ended_too() -> None:
    """The operator that made it died before it heard of it, and the next one did not see it at once."""
    world = World()
    wish(world, 1, trials=10)
    await world.settle()
    late = world.cluster.bodies.pop(JOB)
    world.restart()
    wish(world, 2, trials=20)
    await world.settle()
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("False", "Superseded")
    world.cluster.bodies[JOB] = late
    await gone(world)
    assert JOB not in world.cluster.bodies


async def test_a_training_is_repeated_if_somebody_asks() -> None:
    """A version says what it was made from and why, in labels that searches can use."""
    world = World()
    wish(world, 1, trials=10)
    await world.settle()
    world.trained("churn-1", REPORT)
    await world.settle()
    world.put("Model", "churn", metadata={"annotations": {"assay.dev/retrain": "churn-1"}})
    await world.settle()
    again = world.cluster.bodies["ModelVersion", "churn-2"]
    assert again["spec"]["trigger"] == "Manual"
    labels = {n: again["metadata"]["labels"][f"assay.dev/{n}"] for n in ("model", "source", "trigger")}
    assert labels == {"model": "churn", "source": "training", "trigger": "Manual"}
    assert ("Job", "churn-2-train") in world.cluster.bodies
    assert ("ModelVersion", "churn-3") not in world.cluster.bodies
