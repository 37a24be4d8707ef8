"""Who serves and who is next: the history of a Model as stories, and that no two causes take turns."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_api import Experiment, Model, ModelVersion
from assay_operator.decide.bake import Answers, BakeReading, watch
from assay_operator.decide.champion import (
    fulfilled,
    handled_orders,
    open_order,
    order_result,
    recorded,
    successor,
)
from assay_operator.decide.rollout import (
    RolloutFacts,
    awaited,
    expendable,
    experiment_to_make,
    made_from,
    next_number,
    superseded,
    warm,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TEMPLATE = {"metrics": {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}}
EXPERIMENT = {"strategy": "Experiment", "experiment": TEMPLATE, "rollbackWindow": "1h"}


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "n", "uid": f"uid-{name}", "generation": 2} | more


def model(
    rollout: dict[str, Any] = EXPERIMENT, annotations: dict[str, str] | None = None, **status: Any
) -> Model:
    spec = {"image": {"image": "x"}, "rollout": rollout, "history": {"keep": 2}}
    named = metadata("churn", annotations=annotations or {})
    return Model.model_validate({"metadata": named, "spec": spec, "status": status})


def condition(kind: str, status: str, hours_ago: float = 0.0) -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": "R",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": (NOW - timedelta(hours=hours_ago)).isoformat(),
    }


def version(number: int, digest: str, ready: str = "True", **more: Any) -> ModelVersion:
    spec = {
        "modelRef": {"name": "churn"},
        "number": number,
        "source": {"image": {"image": "x"}},
        "sourceDigest": digest,
    }
    status = {"conditions": [condition("Ready", ready), *more.get("conditions", ())]}
    return ModelVersion.model_validate(
        {"metadata": metadata(f"churn-{number}"), "spec": spec, "status": status}
    )


def experiment(
    name: str, control: str, candidate: str, *, by_hand: bool = False, **status: Any
) -> Experiment:
    arms = [
        {"name": "control", "version": control, "weight": 50},
        {"name": "candidate", "version": candidate, "weight": 50},
    ]
    spec = {"modelRef": {"name": "churn"}, "arms": arms} | TEMPLATE
    labels = {} if by_hand else {"assay.dev/made-by-model": "true"}
    return Experiment.model_validate(
        {"metadata": metadata(name, labels=labels), "spec": spec, "status": status}
    )


def decided(
    verdict: str, winner: str | None, hours_ago: float = 0.1, reason: str = "Aborted"
) -> dict[str, Any]:
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    return {"decision": {"verdict": verdict, "reason": reason, "message": "", "at": at, "winner": winner}}


def facts(the_model: Model, *versions: ModelVersion, digest: str = "new", **more: Any) -> RolloutFacts:
    everybody = frozenset(v.metadata.name for v in versions)
    usual: dict[str, Any] = {
        "experiments": (),
        "available": everybody,
        "source_digest": digest,
        "design_digest": f"{digest}!",
        "now": NOW,
    }
    return RolloutFacts(model=the_model, versions=versions, **(usual | more))


def record(name: str, hours_ago: float, **more: Any) -> dict[str, Any]:
    return {"version": name, "since": (NOW - timedelta(hours=hours_ago)).isoformat()} | more


def state(source: str, generation: int = 2, served: int = 1, **more: Any) -> dict[str, Any]:
    """The remembered state of a Model whose spec asks for this source since that generation."""
    return {
        "sourceDigest": source,
        "sourceGeneration": generation,
        "request": generation,
        "servedRequest": served,
        "designDigest": f"{source}!",
        "designGeneration": generation,
    } | more


FIRST = model(champion="churn-1", history=[record("churn-1", 24)], state=state("new"))


def after(gathered: RolloutFacts) -> RolloutFacts:
    """The facts after a pass."""
    new = successor(gathered)
    status = gathered.model.status
    if new:
        status = status.model_copy(update={"champion": new.version, "history": recorded(gathered, new)})
    gathered = replace(gathered, model=gathered.model.model_copy(update={"status": status}))
    news: dict[str, Any] = {
        "served_request": fulfilled(gathered, status.champion),
        "order": order_result(gathered, status.champion),
    }
    news["handled_orders"] = handled_orders(gathered, news["order"])
    status = status.model_copy(update={"state": gathered.state.model_copy(update=news)})
    return replace(gathered, model=gathered.model.model_copy(update={"status": status}))


def champion(gathered: RolloutFacts) -> str:
    return after(gathered).champion


def warm_after(gathered: RolloutFacts) -> frozenset[str]:
    then = after(gathered)
    return warm(then, then.champion, then.history, "")


def names(things: Iterable[Any]) -> tuple[str, ...]:
    return tuple(thing.metadata.name for thing in things)


def test_a_new_source_makes_the_next_version() -> None:
    gathered = facts(FIRST, version(1, "old"))
    assert gathered.requested is None
    assert (next_number(gathered), champion(gathered), experiment_to_make(gathered, "churn-1")) == (
        2,
        "churn-1",
        None,
    )


def test_numbers_are_never_used_twice_even_if_versions_were_deleted() -> None:
    assert next_number(facts(model(state={"latest": 7}))) == 8


def test_the_first_version_is_champion_when_it_is_ready_and_answers() -> None:
    assert champion(facts(model(), version(1, "new"))) == "churn-1"
    assert champion(facts(model(), version(1, "new"), available=frozenset())) == ""
    assert champion(facts(model(), version(1, "new", ready="False"))) == ""


def test_the_first_version_is_kept_warm_before_it_is_champion() -> None:
    assert warm_after(facts(model(), version(1, "new"), available=frozenset())) == {"churn-1"}


def test_a_ready_challenger_gets_its_experiment_once() -> None:
    gathered = facts(FIRST, version(1, "old"), version(2, "new"))
    assert (champion(gathered), experiment_to_make(gathered, "churn-1")) == ("churn-1", "churn-2-g2")
    made = model(
        champion="churn-1", history=[record("churn-1", 24)], state=state("new", experiment="churn-2-g2")
    )
    deleted_by_a_person = facts(made, version(1, "old"), version(2, "new"))
    assert experiment_to_make(deleted_by_a_person, "churn-1") is None


def test_asking_again_for_a_version_that_lost_is_a_new_experiment() -> None:
    lost = experiment("churn-2-g1", "churn-1", "churn-2", **decided("RollBack", None))
    gathered = facts(FIRST, version(1, "old"), version(2, "new"), experiments=(lost,))
    assert experiment_to_make(gathered, "churn-1") == "churn-2-g2"


@pytest.mark.parametrize(
    ("verdict", "made"),
    [("Abort", "churn-2-g3"), ("Conclude", "churn-2-g3"), ("Invalidate", "churn-2-g3"), ("RollBack", None)],
)
def test_a_changed_design_is_tried_unless_the_version_was_shown_to_be_worse(
    verdict: str, made: str | None
) -> None:
    ended = experiment("churn-2-g2", "churn-1", "churn-2", **decided(verdict, None))
    edited = model(
        champion="churn-1",
        history=[record("churn-1", 24)],
        state=state("new", designDigest="design", designGeneration=3, experiment="churn-2-g2"),
    )
    gathered = facts(
        edited, version(1, "old"), version(2, "new"), experiments=(ended,), design_digest="design"
    )
    assert experiment_to_make(gathered, "churn-1") == made


def test_a_design_that_met_a_former_champion_meets_the_present_one() -> None:
    ended = experiment(
        "churn-3-g2", "churn-1", "churn-3", **decided("Abort", None, reason="SupersededBySpec")
    )
    now = model(
        champion="churn-2",
        history=[record("churn-2", 0.1, cause="Order"), record("churn-1", 24)],
        state=state("new", experiment="churn-3-g2"),
    )
    versions = version(1, "old"), version(2, "other"), version(3, "new")
    assert experiment_to_make(facts(now, *versions, experiments=(ended,)), "churn-2") == "churn-3-g2-2"


def test_a_rejected_version_gets_no_experiment_and_the_champion_stays() -> None:
    gathered = facts(FIRST, version(1, "old"), version(2, "new", ready="False"))
    assert (champion(gathered), experiment_to_make(gathered, "churn-1")) == ("churn-1", None)
    assert warm_after(gathered) == {"churn-1"}


def test_strategy_replace_asks_for_readiness_only() -> None:
    replacing = FIRST.model_copy(update={"spec": model({"strategy": "Replace"}).spec})
    waiting = facts(replacing, version(1, "old"), version(2, "new"), available=frozenset({"churn-1"}))
    assert champion(waiting) == "churn-1"
    assert warm_after(waiting) == {"churn-1", "churn-2"}
    assert champion(facts(replacing, version(1, "old"), version(2, "new"))) == "churn-2"


def test_a_winner_is_promoted_and_the_old_champion_stays_warm() -> None:
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2"))
    gathered = facts(FIRST, version(1, "old"), version(2, "new"), experiments=(won,))
    assert champion(gathered) == "churn-2"
    first = after(gathered).history[0]
    assert (first.reason, first.cause, first.experiment) == ("won Experiment e", "Verdict", "e")
    assert warm_after(gathered) == {"churn-1", "churn-2"}


@pytest.mark.parametrize("strategy", ["Experiment", "Replace"])
@pytest.mark.parametrize("served", [1, 2])
def test_a_winner_that_the_spec_does_not_ask_for_stays(strategy: str, served: int) -> None:
    """By hand an old version met the champion and won: no later pass undoes that."""
    rollout = EXPERIMENT | {"strategy": strategy}
    now = model(
        rollout,
        champion="churn-2",
        history=[record("churn-2", 2), record("churn-1", 48)],
        state=state("new", served=2),
    )
    won = experiment("by-hand", "churn-2", "churn-1", by_hand=True, **decided("Promote", "churn-1"))
    gathered = facts(now, version(1, "old"), version(2, "new"), experiments=(won,))
    for _ in range(served + 3):
        gathered = replace(after(gathered), now=gathered.now + timedelta(seconds=1))
        assert gathered.champion == "churn-1"
    assert len(gathered.history) == 3, "it took over once"


def test_an_old_victory_is_not_won_again() -> None:
    """After a return to version 1 the Experiment that version 2 once won means nothing."""
    back = model(
        champion="churn-1",
        history=[record("churn-1", 0.05), record("churn-2", 5)],
        state=state("old", generation=3, served=3),
    )
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2", hours_ago=5))
    gathered = facts(back, version(1, "old"), version(2, "new"), digest="old", experiments=(won,))
    assert champion(gathered) == "churn-1"


@pytest.mark.parametrize(("hours", "then", "made"), [(0.5, "churn-1", None), (5, "churn-2", "churn-1-g2")])
def test_going_back_is_at_once_within_the_window_and_an_experiment_after_it(
    hours: float, then: str, made: str | None
) -> None:
    now = model(
        champion="churn-2",
        history=[record("churn-2", hours), record("churn-1", 48)],
        state={"request": 1, "servedRequest": 1},
    )
    gathered = facts(now, version(1, "old"), version(2, "new"), digest="old")
    assert champion(gathered) == then
    assert experiment_to_make(gathered, "churn-2") == made


def test_only_a_version_that_answers_is_promoted() -> None:
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2"))
    gathered = facts(
        FIRST, version(1, "old"), version(2, "new"), experiments=(won,), available=frozenset({"churn-1"})
    )
    assert champion(gathered) == "churn-1"


def test_a_deleted_champion_never_makes_a_candidate_champion_that_has_won_nothing() -> None:
    running = experiment("e", "churn-1", "churn-2", startedAt=NOW.isoformat())
    gathered = facts(FIRST, version(2, "new"), experiments=(running,))
    assert champion(gathered) == "churn-1", "nobody takes over"


def test_a_deleted_champion_is_followed_by_the_one_before() -> None:
    now = model(
        champion="churn-2",
        history=[record("churn-2", 2), record("churn-1", 48)],
        state=state("new", served=2),
    )
    gathered = after(facts(now, version(1, "old"), version(3, "other")))
    assert (gathered.champion, gathered.history[0].cause) == ("churn-1", "ChampionDeleted")


def test_a_deleted_champion_is_followed_by_the_same_source_made_again() -> None:
    now = model(
        champion="churn-1",
        history=[record("churn-1", 2, sourceDigest="new")],
        state=state("new", served=2),
    )
    assert champion(facts(now, version(2, "new"))) == "churn-2"


BAKING = model(
    champion="churn-2",
    history=[record("churn-2", 0.05, cause="Verdict"), record("churn-1", 48)],
    state=state("new", served=2),
)


@pytest.mark.parametrize(
    ("down_hours", "available", "then"),
    [
        pytest.param(0.001, {"churn-1"}, "churn-1", id="down for longer than the grace"),
        pytest.param(0.0, {"churn-1"}, "churn-2", id="just gone down"),
        pytest.param(0.001, {"churn-1", "churn-2"}, "churn-2", id="it answers"),
        pytest.param(0.001, set(), "churn-2", id="the former one is down, too"),
    ],
)
def test_a_new_champion_that_goes_down_gives_way_to_the_former_one(
    down_hours: float, available: set[str], then: str
) -> None:
    down = version(2, "new", conditions=[condition("Available", "False", down_hours)])
    gathered = facts(BAKING, version(1, "old"), down, available=frozenset(available))
    assert champion(gathered) == then
    if then == "churn-1":
        assert after(gathered).history[0].cause == "BakeFailed"
        recovered = replace(after(gathered), available=frozenset({"churn-1", "churn-2"}))
        assert champion(recovered) == "churn-1", "it does not come back by itself"


def test_a_champion_that_has_baked_is_not_taken_back() -> None:
    old = model(
        champion="churn-2",
        history=[record("churn-2", 0.5, cause="Verdict"), record("churn-1", 48)],
        state=state("new", served=2),
    )
    down = version(2, "new", conditions=[condition("Available", "False", 0.1)])
    assert champion(facts(old, version(1, "old"), down, available=frozenset({"churn-1"}))) == "churn-2"


def ordered(annotation: str, text: str, **status: Any) -> Model:
    usual: dict[str, Any] = {"champion": "churn-2", "history": [record("churn-2", 2), record("churn-1", 48)]}
    return model(
        annotations={f"assay.dev/{annotation}": text}, **(usual | {"state": state("new", served=2)} | status)
    )


def test_a_person_promotes_a_version_once() -> None:
    gathered = facts(ordered("promote", "churn-1 because of the audit"), version(1, "old"), version(2, "new"))
    then = after(gathered)
    assert (then.champion, then.history[0].cause) == ("churn-1", "Order")
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2", hours_ago=-0.1))
    later = replace(after(then), now=NOW + timedelta(hours=1), experiments=(won,))
    assert later.model.status.state.order is not None
    assert later.model.status.state.order.result == "Done"
    assert champion(later) == "churn-2", "a verdict after the order counts, and the order is not given again"


def test_a_person_goes_back_to_the_former_champion() -> None:
    gathered = after(facts(ordered("rollback", "it feels wrong"), version(1, "old"), version(2, "new")))
    assert gathered.champion == "churn-1"
    assert champion(after(gathered)) == "churn-1"


@pytest.mark.parametrize(
    ("annotation", "text", "says"),
    [
        ("promote", "churn-9", "no ModelVersion churn-9"),
        ("promote", "churn-3", "not ready"),
        ("promote", " ", "no ModelVersion"),
    ],
)
def test_an_order_that_cannot_be_is_refused_with_words(annotation: str, text: str, says: str) -> None:
    gathered = facts(
        ordered(annotation, text), version(1, "old"), version(2, "new"), version(3, "more", ready="False")
    )
    order = open_order(gathered)
    assert order is not None
    assert says in order.refusal
    assert champion(gathered) == "churn-2"
    result = after(gathered).model.status.state.order
    assert result is not None
    assert result.result == "Refused"


def test_an_experiment_of_a_version_nobody_asks_for_is_superseded() -> None:
    assert superseded(experiment("e", "churn-1", "churn-2"), "churn-3")
    assert not superseded(experiment("e", "churn-1", "churn-2"), "churn-2")
    assert not superseded(experiment("e", "churn-1", "churn-2", by_hand=True), "churn-3")


def gone(gathered: RolloutFacts) -> tuple[str, ...]:
    name = gathered.requested.metadata.name if gathered.requested else ""
    needed = warm_after(gathered) | awaited(gathered, name) | {champion(gathered)}
    return names(expendable(gathered, needed)[0])


def test_history_keeps_what_serves_what_is_requested_and_the_newest() -> None:
    versions = tuple(version(n, f"s{n}") for n in range(1, 7))
    now = model(champion="churn-2", history=[record("churn-2", 48)])
    assert gone(facts(now, *versions, digest="s6")) == ("churn-1", "churn-3", "churn-4", "churn-5")


def test_history_keeps_what_an_experiment_still_waits_for() -> None:
    """By hand, and not yet its turn."""
    versions = tuple(version(n, f"s{n}") for n in range(1, 7))
    now = model(champion="churn-2", history=[record("churn-2", 48)])
    waits = experiment("by-hand", "churn-2", "churn-3", by_hand=True)
    gathered = facts(now, *versions, digest="s6", experiments=(waits,))
    assert awaited(gathered, "churn-6") == {"churn-2", "churn-3", "churn-6"}
    assert gone(gathered) == ("churn-1", "churn-4", "churn-5")


@pytest.mark.parametrize(("hours", "kept"), [(0.5, True), (5, False)])
def test_history_keeps_what_may_come_back(hours: float, *, kept: bool) -> None:
    """The former champion within its window; after it, age decides."""
    versions = tuple(version(n, f"s{n}") for n in range(1, 7))
    now = model(champion="churn-2", history=[record("churn-2", hours), record("churn-1", 48)])
    assert ("churn-1" not in gone(facts(now, *versions, digest="s6"))) is kept


def asking(name: str) -> Model:
    """Return the Model whose user wants no version up to this one."""
    annotations = {"assay.dev/retrain": name}
    return FIRST.model_copy(
        update={"metadata": FIRST.metadata.model_copy(update={"annotations": annotations})}
    )


def test_what_is_the_same_is_used_again_unless_asked() -> None:
    versions = version(1, "new"), version(2, "old")
    first = facts(FIRST, *versions).requested
    assert first is not None
    assert first.metadata.name == "churn-1"
    gathered = facts(asking("churn-2"), *versions)
    assert (gathered.requested, next_number(gathered)) == (None, 3)
    assert made_from(gathered.versions, "new") is not None, "it is made again"
    assert champion(gathered) == "churn-1", "it serves on"
    assert made_from(gathered.versions, "other") is None


def test_a_version_that_is_made_again_takes_over_as_a_new_one_would() -> None:
    served = model(
        EXPERIMENT | {"strategy": "Replace"},
        {"assay.dev/retrain": "churn-1"},
        champion="churn-1",
        history=[record("churn-1", 24)],
        state=state("new", served=2),
    )
    assert champion(facts(served, version(1, "new"), version(2, "new"))) == "churn-2"


def test_asking_once_makes_one_version() -> None:
    gathered = facts(asking("churn-2"), version(1, "new"), version(2, "old"), version(3, "new"))
    assert gathered.requested is not None
    assert gathered.requested.metadata.name == "churn-3"


@pytest.mark.parametrize("word", ["", "yes", "churn-", "churn-²"])
def test_a_word_that_names_no_version_asks_for_nothing(word: str) -> None:
    gathered = facts(asking(word), version(1, "new"))
    assert gathered.requested is not None
    assert gathered.requested.metadata.name == "churn-1"


VERSIONS = ("churn-1", "churn-2", "churn-3")
PROMOTIONS = st.tuples(st.sampled_from(VERSIONS), st.sampled_from(VERSIONS), st.floats(-1, 3))
ORDERS = st.sampled_from(["", "promote churn-1", "promote churn-2", "rollback x", "promote churn-9"])


@given(
    strategy=st.sampled_from(["Experiment", "Replace"]),
    digest=st.sampled_from(["s1", "s2", "s3"]),
    served=st.integers(0, 3),
    promotions=st.lists(PROMOTIONS, max_size=4),
    order=ORDERS,
    available=st.sets(st.sampled_from(VERSIONS)),
    failing=st.sets(st.sampled_from(VERSIONS)),
    minutes=st.sampled_from([0.05, 1.0, 10.0]),
)
def test_nothing_flaps(  # noqa: PLR0917  given by name
    strategy: str,
    digest: str,
    served: int,
    promotions: list[tuple[str, str, float]],
    order: str,
    available: set[str],
    failing: set[str],
    minutes: float,
) -> None:
    """Whatever was decided before: when nothing new happens, the champion changes a few times at most."""
    annotation, _, text = order.partition(" ")
    now = model(
        EXPERIMENT | {"strategy": strategy},
        {f"assay.dev/{annotation}": text} if order else None,
        champion="churn-1",
        history=[record("churn-1", 2), record("churn-3", 48)],
        state=state(digest, served=served),
    )
    ended = tuple(
        experiment(f"e{n}", control, winner, by_hand=True, **decided("Promote", winner, hours_ago=hours))
        for n, (control, winner, hours) in enumerate(promotions)
        if control != winner
    )
    versions = tuple(version(n, f"s{n}") for n in (1, 2, 3))
    gathered = facts(now, *versions, digest=digest, experiments=ended, available=frozenset(available))
    changes = undone = 0
    for _ in range(40):
        then = after(replace(gathered, bake=answering(gathered, failing)))
        if then.champion != gathered.champion:
            changes += 1
            undone += then.history[0].cause == "BakeBreached"
        gathered = replace(then, now=gathered.now + timedelta(minutes=minutes))
    assert changes - undone <= len(ended) + 2, "each verdict, the order and the spec act once"
    assert undone <= changes - undone, "each change is undone once at most"


def answering(gathered: RolloutFacts, failing: set[str]) -> BakeReading:
    """What the collector knows: versions that fail do so always, and were asked once a second."""
    found = watch(gathered.model)
    if found is None:
        return BakeReading()
    seconds = max(0, int((gathered.now - found.since).total_seconds()))
    bad = {name: float(name in failing) for name in found[:2]}
    champion = Answers(seconds, bad[found.champion] * seconds)
    return BakeReading(found, champion, Answers(600, bad[found.former] * 600))


@pytest.mark.parametrize(
    ("failing", "available", "then"),
    [
        pytest.param({"churn-2"}, {"churn-1", "churn-2"}, "churn-1", id="it answers worse"),
        pytest.param({"churn-2"}, {"churn-2"}, "churn-2", id="worse, and the former one is not warm"),
        pytest.param({"churn-1", "churn-2"}, {"churn-1", "churn-2"}, "churn-2", id="both are as bad"),
        pytest.param(set(), {"churn-1", "churn-2"}, "churn-2", id="all is well"),
    ],
)
def test_a_new_champion_that_answers_worse_gives_way_to_the_former_one(
    failing: set[str], available: set[str], then: str
) -> None:
    gathered = facts(BAKING, version(1, "old"), version(2, "new"), available=frozenset(available))
    gathered = replace(gathered, bake=answering(gathered, failing))
    assert champion(gathered) == then
    if then == "churn-1":
        back = after(gathered)
        assert (back.history[0].cause, "errors breached" in back.history[0].reason) == ("BakeBreached", True)
        later = replace(back, now=NOW + timedelta(minutes=1))
        assert champion(replace(later, bake=answering(later, failing))) == "churn-1", "it stays"
