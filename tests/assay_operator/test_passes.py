"""One pass settles a change, and writes each status once; nobody's trouble is anybody else's."""

import copy
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from operated import CHURN, DATA, GUARD, REPORT, ROLLOUT, World, merged, two_versions
from prometheus_client import REGISTRY

from assay_api import Ref
from assay_operator.decide.bake import Answers
from assay_operator.gateway import Programmed
from assay_operator.kube import ApiError
from assay_operator.plan.model import plan
from assay_operator.telemetry import gauges

OTHER = Ref("team", "other")


async def written(world: World, *refs: Ref) -> Counter[str]:
    """What one pass writes: a second one has nothing to add."""
    before = Counter(world.cluster.writes)
    for ref in refs or (CHURN,):
        await world.reconcile(ref)
    found = Counter(world.cluster.writes) - before
    version = world.cluster.version
    for ref in refs or (CHURN,):
        await world.reconcile(ref)
    assert world.cluster.version == version, "the second pass wrote something"
    return found


async def test_a_new_model_is_settled_by_one_pass(world: World) -> None:
    world.apply_model(1, image={"image": "one"})
    found = await written(world)
    assert found["Model"] == 1
    assert found["ModelVersion"] == 2, "it is made, and its status is written once"
    assert ("Deployment", "churn-1--predictor") in world.cluster.bodies


async def test_ready_pods_are_settled_by_one_pass(world: World) -> None:
    world.apply_model(1, image={"image": "one"})
    await world.reconcile(CHURN)
    world.answers("churn-1")
    found = await written(world)
    assert found == Counter({"Model": 1, "ModelVersion": 1}), "their statuses, and nothing else"
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def test_an_edit_of_the_spec_is_settled_by_one_pass(world: World) -> None:
    await two_versions(world)
    world.apply_model(3, training={"data": DATA})
    found = await written(world)
    assert found["Model"] == 1
    assert found["Experiment"] == 1, "the one that is superseded"
    assert found["ModelVersion"] <= 3, "one is made; its own status and that of the superseded one"
    assert found["Job"] == 1


async def test_the_end_of_a_job_is_settled_by_one_pass(world: World) -> None:
    await two_versions(world)
    world.apply_model(3, training={"data": DATA})
    await world.settle()
    world.trained("churn-3", REPORT)
    found = await written(world)
    assert (found["Model"], found["ModelVersion"]) == (1, 1)
    assert found["Experiment"] == 3, "it is made, gets its finalizer, and its status is written once"


def arms(*names: str) -> list[dict[str, Any]]:
    share = 100 // (len(names) + 1)
    first = {"name": "control", "version": "churn-1", "weight": 100 - share * len(names)}
    rest = [{"name": n, "version": f"churn-{i}", "weight": share} for i, n in enumerate(names, 2)]
    return [first, *rest]


async def three_arms(world: World) -> None:
    """Two candidates against the champion, in the last step."""
    await two_versions(world)
    world.apply_model(3, image={"image": "three"})
    await world.settle()
    for name in ("churn-2-g2", "churn-3-g3"):
        if ("Experiment", name) in world.cluster.bodies:
            world.store.drop(world.cluster.bodies.pop(("Experiment", name)))
    world.answers("churn-2", "churn-3")
    spec = {
        "modelRef": {"name": "churn"},
        "arms": arms("harmful", "good"),
        "ramp": [{"percent": 60}],
        "metrics": {"primary": {"name": "right", "missing": "Ignore"}} | GUARD,
        "decision": {"minDuration": "10s", "maxDuration": "1d"},
    }
    world.put("Experiment", "abc", spec=spec)
    await world.settle()
    assert world.status("Experiment", "abc")["phase"] == "Running"


async def test_a_harmful_arm_is_dropped_and_another_one_wins(world: World) -> None:
    await three_arms(world)
    world.moment += timedelta(seconds=20)
    world.counted_arms("abc", control=(3000, 2400, 0), harmful=(2900, 2320, 900), good=(2920, 2360, 0))
    await world.reconcile(CHURN)
    status = world.status("Experiment", "abc")
    assert (status["phase"], status["state"]["dropped"]) == ("Running", ["harmful"])
    assert world.condition("Experiment", "abc", "Degraded") == ("True", "ArmDropped")
    split = world.gateways.routes[CHURN].split
    assert split is not None
    assert {slots.arm for slots in split.table} == {"control", "good"}, "its units see the champion"
    uid = world.cluster.bodies["Experiment", "abc"]["metadata"]["uid"]
    assert "harmful" not in world.outcomes.definitions[uid]["table"]
    world.counted_arms("abc", control=(6000, 4800, 0), harmful=(2900, 2320, 900), good=(5820, 5238, 0))
    await world.settle()
    assert world.status("Experiment", "abc")["decision"]["winner"] == "churn-3"
    assert world.status("Model", "churn")["champion"] == "churn-3"
    verdicts = [e for e in world.cluster.events.values() if e["reason"] == "GuardrailBreached"]
    assert [e["type"] for e in verdicts] == ["Warning"]


async def test_the_last_harmful_arm_ends_it(world: World) -> None:
    await three_arms(world)
    world.counted_arms("abc", control=(3000, 2400, 0), harmful=(2900, 2320, 900), good=(2920, 2360, 900))
    await world.settle()
    assert world.status("Experiment", "abc")["phase"] == "RolledBack"
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def running(world: World, **rollout: Any) -> None:
    await two_versions(world, rollout=merged(ROLLOUT, rollout))
    world.answers("churn-2")
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Running"


async def test_strategy_replace_in_the_middle_ends_the_running_experiment(world: World) -> None:
    await running(world)
    world.apply_model(3, image={"image": "two"}, rollout=ROLLOUT | {"strategy": "Replace"})
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"
    decision = world.status("Experiment", "churn-2-g2")["decision"]
    assert (decision["verdict"], decision["reason"]) == ("Abort", "SupersededBySpec")
    assert world.gateways.routes[CHURN].split is None, "everybody sees the champion"


async def test_a_promotion_by_hand_ends_the_running_experiment(world: World) -> None:
    await running(world)
    world.put("Model", "churn", metadata={"annotations": {"assay.dev/promote": "churn-2 now ada why"}})
    await world.settle()
    status = world.status("Model", "churn")
    assert (status["champion"], status["history"][0]["cause"]) == ("churn-2", "Order")
    assert status["state"]["order"]["result"] == "Done"
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"
    world.put("Model", "churn", metadata={"annotations": {"assay.dev/rollback": "now ada regret"}})
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-1"
    assert world.condition("Model", "churn", "Stalled") == ("True", "RolledBackByHand")


async def test_an_edited_template_says_what_happens_to_the_running_one(world: World) -> None:
    await running(world)
    edited = merged(ROLLOUT, {"experiment": {"decision": {"maxDuration": "2d"}}})
    world.apply_model(3, image={"image": "two"}, rollout=edited)
    await world.settle()
    (condition,) = [c for c in world.status("Model", "churn")["conditions"] if c["type"] == "Progressing"]
    assert "keeps its design" in condition["message"]
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Running"
    world.put(
        "Experiment", "churn-2-g2", metadata={"annotations": {"assay.dev/abort": "again, with more time"}}
    )
    await world.settle()
    assert ("Experiment", "churn-2-g3") in world.cluster.bodies, "the changed design, without a retraining"


async def test_a_new_champion_that_goes_down_gives_way_within_two_seconds(world: World) -> None:
    await running(world)
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"
    assert world.condition("Model", "churn", "Progressing") == ("True", "Baking")
    world.put("EndpointSlice", "churn-2-x", endpoints=[])
    again = await world.reconcile(CHURN)
    assert again is not None
    assert again <= 1.0, "it looks again when the grace is over"
    world.moment += timedelta(seconds=1.1)
    await world.reconcile(CHURN)
    status = world.status("Model", "churn")
    assert (status["champion"], status["history"][0]["cause"]) == ("churn-1", "BakeFailed")
    assert world.gateways.routes[CHURN].champion.version == "churn-1"
    assert world.condition("Model", "churn", "Stalled") == ("True", "BakeFailed")


async def replaced(world: World, **bake: Any) -> None:
    """A second version that has just replaced the first one, which had no failure."""
    rollout = {"strategy": "Replace", "rollbackWindow": "1h", "bake": bake}
    world.outcomes.answered["churn-1"] = Answers(600, 0.0)
    await two_versions(world, rollout=rollout)
    world.answers("churn-2")
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"


def progressing(world: World) -> str:
    (condition,) = [c for c in world.status("Model", "churn")["conditions"] if c["type"] == "Progressing"]
    return str(condition["message"])


async def test_a_new_champion_that_fails_gives_way_in_the_pass_that_hears_of_it(world: World) -> None:
    await replaced(world)
    assert "guardrails: errors" in progressing(world)
    level = world.status("Model", "churn")["state"]["formerLevel"]
    assert (level["version"], level["seconds"], level["errors"]) == ("churn-1", 600, 0)
    world.moment += timedelta(seconds=3)
    world.outcomes.answered |= {"churn-2": Answers(3, 3.0), "churn-1": Answers(600, 500.0)}
    found = await written(world)
    assert found["Model"] == 1, "the level is as it was when it was read first"
    status = world.status("Model", "churn")
    assert (status["champion"], status["history"][0]["cause"]) == ("churn-1", "BakeBreached")
    assert "errors breached: churn-2 - churn-1 = +1" in status["history"][0]["reason"]
    assert "formerLevel" not in status["state"]
    assert world.gateways.routes[CHURN].champion.version == "churn-1"
    assert world.condition("Model", "churn", "Stalled") == ("True", "BakeBreached")
    assert world.condition("Model", "churn", "Degraded") == ("True", "BakeBreached")
    assert ("Warning", "BakeBreached") in {(e["type"], e["reason"]) for e in world.cluster.events.values()}
    world.moment += timedelta(minutes=1)
    await written(world)
    assert world.status("Model", "churn")["champion"] == "churn-1", "it stays"


async def test_a_promoted_champion_is_watched_as_well(world: World) -> None:
    world.outcomes.answered["churn-1"] = Answers(600, 0.0)
    await running(world)
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"
    world.outcomes.answered["churn-2"] = Answers(3, 3.0)
    world.moment += timedelta(seconds=3)
    await world.settle()
    status = world.status("Model", "churn")
    assert (status["champion"], status["history"][0]["cause"]) == ("churn-1", "BakeBreached")


async def test_good_answers_write_nothing(world: World) -> None:
    await replaced(world)
    for seconds in range(1, 60):
        world.outcomes.answered["churn-2"] = Answers(seconds, 0.01 * seconds)
        world.moment += timedelta(seconds=1)
        assert await written(world) == {}


async def test_a_collector_that_is_away_decides_nothing_and_is_named(world: World) -> None:
    world.outcomes.fault = "the collector does not answer"
    await replaced(world)
    world.moment += timedelta(seconds=30)
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"
    assert "guardrails cannot decide: the collector does not answer" in progressing(world)
    world.outcomes.fault = ""
    world.outcomes.answered["churn-2"] = Answers(30, 30.0)
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-1", "and when it is back, it decides"


async def test_a_restarted_operator_knows_the_level(world: World) -> None:
    await replaced(world)
    world.restart()
    del world.outcomes.answered["churn-1"]
    world.outcomes.answered["churn-2"] = Answers(3, 3.0)
    world.moment += timedelta(seconds=3)
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def test_without_guardrails_pods_are_watched_only(world: World) -> None:
    await replaced(world, guardrails=[])
    world.outcomes.answered["churn-2"] = Answers(60, 60.0)
    world.moment += timedelta(seconds=60)
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-2"
    assert "guardrail" not in progressing(world)


KINDS = ("Service", "Deployment", "PersistentVolumeClaim")
CHILDREN = {
    "Service": ("churn", "churn-1--predictor"),
    "Deployment": ("churn-1--predictor",),
    "PersistentVolumeClaim": ("churn-artifacts",),
}


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in KINDS for n in CHILDREN[k]])
async def test_what_is_not_ours_is_never_touched(world: World, kind: str, name: str) -> None:
    theirs = {"kind": kind, "metadata": {"name": name, "namespace": "team"}, "spec": {"theirs": True}}
    before = dict(world.cluster._keep(theirs))
    world.apply_model(1, artifact={"uri": "s3://m/x.onnx", "digest": "sha256:" + "0" * 64})
    await world.settle()
    found = [
        (key, c["reason"], c["message"])
        for key, body in world.cluster.bodies.items()
        for c in body.get("status", {}).get("conditions", [])
        if c["reason"] == "NameTaken"
    ]
    assert found, "nobody says so"
    assert all(name in message for _, _, message in found)
    assert world.cluster.bodies[kind, name] == before


@pytest.mark.parametrize("kind", ["PodDisruptionBudget", "HorizontalPodAutoscaler"])
async def test_a_refused_child_is_told_and_the_other_steps_go_on(world: World, kind: str) -> None:
    world.cluster.refuses = kind
    world.apply_model(1, image={"image": "one"}, serving={"replicas": 2, "maxReplicas": 3})
    await world.settle()
    world.answers("churn-1")
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-1"
    assert world.reconcile.gather.obstacles.of(CHURN), "it is tried again"
    assert world.condition("Model", "churn", "Degraded") == ("True", "ChildRefused")
    assert world.condition("Model", "churn", "Ready") == ("True", "Serving")


async def test_a_model_that_cannot_be_read_keeps_its_route_and_says_so(world: World) -> None:
    await two_versions(world)
    route = world.gateways.routes[CHURN]
    body = world.cluster.bodies["Model", "churn"]
    body["spec"]["serving"] = {"timeout": "never"}
    world.put("Model", "churn", metadata={"generation": 3})
    for _ in range(2):
        await world.settle()
        assert world.condition("Model", "churn", "Stalled") == ("True", "InvalidSpec")
        assert world.condition("Model", "churn", "Ready") == ("True", "Serving")
        assert world.gateways.routes[CHURN] == route
        world.restart()
        await world.reconcile.route_only(CHURN)
    body["spec"]["serving"] = {}
    world.put("Model", "churn", metadata={"generation": 4})
    await world.settle()
    assert world.condition("Model", "churn", "Stalled")[0] == "False"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"decision": {"power": 0}}, "spec.decision.power", id="a field that can be left out"),
        pytest.param({"arms": "none"}, "spec.arms", id="nothing of it can be used"),
    ],
)
async def test_an_experiment_that_cannot_be_read_says_so_itself(
    world: World, change: dict[str, Any], field: str
) -> None:
    await running(world)
    route, before = world.gateways.routes[CHURN], world.status("Experiment", "churn-2-g2")
    body = world.cluster.bodies["Experiment", "churn-2-g2"]
    good = copy.deepcopy(body["spec"])
    body["spec"] |= change
    world.put("Experiment", "churn-2-g2", metadata={"generation": 2})
    world.restart()
    await written(world)
    for of in ("Ready", "Stalled", "Degraded"):
        assert world.condition("Experiment", "churn-2-g2", of)[1] == "InvalidSpec"
    assert world.condition("Experiment", "churn-2-g2", "Ready")[0] == "False"
    status = world.status("Experiment", "churn-2-g2")
    (ready,) = [c for c in status["conditions"] if c["type"] == "Ready"]
    assert ready["message"].startswith(field)
    assert ready["observedGeneration"] == status["observedGeneration"] == 2
    assert status["state"] == before["state"], "what must be remembered is untouched"
    assert world.gateways.routes[CHURN].champion == route.champion
    world.cluster.bodies["Experiment", "churn-2-g2"]["spec"] = good
    world.put("Experiment", "churn-2-g2", metadata={"generation": 3})
    await world.settle()
    assert world.condition("Experiment", "churn-2-g2", "Ready") == ("Unknown", "Running")
    assert world.gateways.routes[CHURN] == route


async def test_an_experiment_of_no_model_that_cannot_be_read_says_so_too(world: World) -> None:
    world.put("Experiment", "lost", spec={"modelRef": {"name": "churn"}, "arms": []})
    await written(world)
    assert world.condition("Experiment", "lost", "Ready") == ("False", "InvalidSpec")


async def test_what_an_unreadable_experiment_says_is_pinned_to_what_was_read(world: World) -> None:
    world.put("Experiment", "lost", spec={"modelRef": {"name": "churn"}, "arms": []})
    world.cluster._keep({"kind": "Experiment", "metadata": {"name": "lost"}, "spec": {"arms": [1]}})
    assert await world.reconcile(CHURN) == pytest.approx(0.05), "it looks again at once"
    assert "conditions" not in world.status("Experiment", "lost")


async def test_an_experiment_that_is_over_keeps_its_last_word(world: World) -> None:
    await running(world)
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    body = world.cluster.bodies["Experiment", "churn-2-g2"]
    body["spec"] |= {"arms": "none"}
    world.put("Experiment", "churn-2-g2")
    await world.settle()
    assert world.condition("Experiment", "churn-2-g2", "Ready") == ("True", "CandidateWins")
    assert world.condition("Model", "churn", "Stalled") == ("False", "Baking"), (
        "it is no matter of the Model's"
    )


async def test_what_cannot_be_read_of_a_status_is_not_lost(world: World) -> None:
    await running(world)
    status = world.cluster.bodies["Experiment", "churn-2-g2"]["status"]
    state = status["state"] | {"epoch": "of another release"}
    world.put("Experiment", "churn-2-g2", status=status | {"state": state})
    world.restart()
    await written(world)
    assert world.condition("Experiment", "churn-2-g2", "Ready") == ("False", "InvalidSpec")
    assert world.status("Experiment", "churn-2-g2")["state"] == state


async def test_a_fault_of_ours_in_one_model_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_versions(world)
    world.apply_model(1, "other", image={"image": "one"})

    def broken(gathered: Any) -> Any:
        if gathered.ref == CHURN:
            raise RuntimeError("a fault")
        return plan(gathered)

    monkeypatch.setattr("assay_operator.reconcile.run.plan", broken)
    world.reconcile.settled.forget(CHURN)  # the world is the same, only our code is not
    await world.settle(CHURN, OTHER)
    assert world.condition("Model", "churn", "Stalled") == ("True", "InvalidSpec")
    assert world.gateways.routes[CHURN].champion.version == "churn-1"
    assert ("Deployment", "other-1--predictor") in world.cluster.bodies


async def test_a_write_of_what_has_changed_meanwhile_is_not_made(world: World) -> None:
    await two_versions(world)
    real = world.cluster.apply_status

    async def late(manifest: Any, *, manager: str = "") -> Any:
        if manifest["kind"] == "Model":
            raise ApiError(409, "the object has been modified")
        return await real(manifest, manager=manager)

    world.cluster.apply_status = late  # type: ignore[method-assign]
    world.answers("churn-2")
    world.put("EndpointSlice", "churn-1-x", endpoints=[])
    assert await world.reconcile(CHURN) == pytest.approx(0.05), "it looks again at once"


async def test_series_of_what_is_gone_go_with_it(world: World) -> None:
    await running(world)
    world.counted("churn-2-g2", (900, 700), (900, 701))
    await world.settle()
    assert series() >= {"assay_model_champion_info", "assay_experiment_phase"}
    gauges.forget_experiment(Ref("team", "churn-2-g2"))
    gauges.forget_model(CHURN)
    assert series() == set()


def series() -> set[str]:
    """Names of the series of this Model and of its Experiment."""
    samples = [sample for metric in REGISTRY.collect() for sample in metric.samples]
    mine = {("model", "churn"), ("experiment", "churn-2-g2")}
    return {s.name for s in samples if s.labels.get("namespace") == "team" and mine & set(s.labels.items())}


async def test_an_experiment_that_is_deleted_goes_when_its_units_are_back(world: World) -> None:
    await running(world)
    body = world.cluster.bodies["Experiment", "churn-2-g2"]
    assert body["metadata"]["finalizers"] == ["assay.dev/finalizer"]
    world.gateways.confirms = False
    world.put("Experiment", "churn-2-g2", metadata={"deletionTimestamp": world.moment.isoformat()})
    again = await world.reconcile(CHURN)
    assert world.gateways.routes[CHURN].split is None
    assert world.cluster.bodies["Experiment", "churn-2-g2"]["metadata"]["finalizers"], (
        "gateways have not said so"
    )
    assert again is not None
    assert again <= 5
    world.moment += timedelta(seconds=6)
    await world.reconcile(CHURN)
    assert world.cluster.bodies["Experiment", "churn-2-g2"]["metadata"]["finalizers"] == [], "it never hangs"


@pytest.mark.parametrize(
    ("answer", "ready"),
    [
        pytest.param({"gateways": 0, "expected": True}, ("True", "Serving"), id="they are still to come"),
        pytest.param({"gateways": 2}, ("True", "Serving"), id="a change is on its way"),
        pytest.param({"gateways": 0}, ("False", "NotProgrammedYet"), id="nobody came"),
        pytest.param({"gateways": 2, "nack": "no"}, ("False", "Refused"), id="it is refused"),
    ],
)
async def test_a_model_that_was_served_is_served_until_it_is_known_not_to_be(
    world: World, answer: dict[str, Any], ready: tuple[str, str]
) -> None:
    await two_versions(world)
    world.restart()
    programmed = Programmed(**(dict[str, Any](done=False, message="m") | answer))
    world.gateways.programmed = lambda ref: programmed  # type: ignore[method-assign]  # noqa: ARG005
    await world.settle()
    assert world.condition("Model", "churn", "Ready") == ready
