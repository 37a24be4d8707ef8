"""Who serves and who is next: the history of a Model as stories."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assay_operator.decide.lineage import Kin, expendable, lineage, superseded

from assay_api import Experiment, Model, ModelVersion

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TEMPLATE = {"metrics": {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}}
EXPERIMENT = {"strategy": "Experiment", "experiment": TEMPLATE, "rollbackWindow": "1h"}


def metadata(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "n", "uid": f"uid-{name}", "generation": 2} | more


def model(rollout: dict[str, Any] = EXPERIMENT, **status: Any) -> Model:
    spec = {"image": {"image": "x"}, "rollout": rollout, "history": {"keep": 2}}
    return Model.model_validate({"metadata": metadata("churn"), "spec": spec, "status": status})


def condition(kind: str, status: str) -> dict[str, Any]:
    when = NOW.isoformat()
    return {
        "type": kind,
        "status": status,
        "reason": "R",
        "message": "",
        "observedGeneration": 1,
        "lastTransitionTime": when,
    }


def version(number: int, digest: str, ready: str = "True") -> ModelVersion:
    spec = {
        "modelRef": {"name": "churn"},
        "number": number,
        "source": {"image": {"image": "x"}},
        "sourceDigest": digest,
    }
    status = {"conditions": [condition("Ready", ready)]}
    return ModelVersion.model_validate(
        {"metadata": metadata(f"churn-{number}"), "spec": spec, "status": status}
    )


def experiment(name: str, control: str, candidate: str, **status: Any) -> Experiment:
    arms = [
        {"name": "control", "version": control, "weight": 50},
        {"name": "candidate", "version": candidate, "weight": 50},
    ]
    spec = {"modelRef": {"name": "churn"}, "arms": arms} | TEMPLATE
    labels = {"assay.dev/made-by-model": "true"}
    return Experiment.model_validate(
        {"metadata": metadata(name, labels=labels), "spec": spec, "status": status}
    )


def decided(verdict: str, winner: str | None, hours_ago: float = 0.1) -> dict[str, Any]:
    at = (NOW - timedelta(hours=hours_ago)).isoformat()
    return {"decision": {"verdict": verdict, "reason": "R", "message": "", "at": at, "winner": winner}}


def kin(the_model: Model, *versions: ModelVersion, digest: str = "new", **more: Any) -> Kin:
    everybody = frozenset(v.metadata.name for v in versions)
    usual = {"experiments": (), "available": everybody, "digest": digest, "now": NOW}
    return Kin(model=the_model, versions=versions, **(usual | more))


def reign(name: str, hours_ago: float) -> dict[str, Any]:
    return {"version": name, "since": (NOW - timedelta(hours=hours_ago)).isoformat()}


FIRST = model(champion="churn-1", history=[reign("churn-1", 24)], sourceDigest="new", sourceGeneration=2)


def test_a_new_source_makes_the_next_version() -> None:
    line = lineage(kin(FIRST, version(1, "old")))
    assert (line.make_version, line.champion, line.make_experiment) == (2, "churn-1", None)


def test_numbers_are_never_used_twice_even_if_versions_were_deleted() -> None:
    assert lineage(kin(model(latest=7))).make_version == 8


def test_the_first_version_reigns_when_it_is_ready_and_answers() -> None:
    assert lineage(kin(model(), version(1, "new"))).champion == "churn-1"
    assert lineage(kin(model(), version(1, "new"), available=frozenset())).champion == ""
    assert lineage(kin(model(), version(1, "new", ready="False"))).champion == ""


def test_the_first_version_is_kept_warm_before_it_reigns() -> None:
    assert lineage(kin(model(), version(1, "new"), available=frozenset())).warm == {"churn-1"}


def test_a_ready_challenger_gets_its_experiment_once() -> None:
    line = lineage(kin(FIRST, version(1, "old"), version(2, "new")))
    assert (line.champion, line.make_experiment) == ("churn-1", "churn-2-g2")
    made = FIRST.model_copy(update={"status": FIRST.status.model_copy(update={"experiment": "churn-2-g2"})})
    assert lineage(kin(made, version(1, "old"), version(2, "new"))).make_experiment is None, (
        "deleted by a person"
    )


def test_asking_again_for_a_version_that_lost_is_a_new_experiment() -> None:
    lost = experiment("churn-2-g1", "churn-1", "churn-2", **decided("RollBack", None))
    line = lineage(kin(FIRST, version(1, "old"), version(2, "new"), experiments=(lost,)))
    assert line.make_experiment == "churn-2-g2"


def test_a_rejected_version_gets_no_experiment_and_the_champion_stays() -> None:
    line = lineage(kin(FIRST, version(1, "old"), version(2, "new", ready="False")))
    assert (line.champion, line.make_experiment, line.warm) == ("churn-1", None, {"churn-1"})


def test_strategy_replace_asks_for_readiness_only() -> None:
    replacing = FIRST.model_copy(update={"spec": model({"strategy": "Replace"}).spec})
    waiting = lineage(kin(replacing, version(1, "old"), version(2, "new"), available=frozenset({"churn-1"})))
    assert (waiting.champion, waiting.warm) == ("churn-1", {"churn-1", "churn-2"})
    assert lineage(kin(replacing, version(1, "old"), version(2, "new"))).champion == "churn-2"


def test_a_winner_is_crowned_and_the_old_champion_stays_warm() -> None:
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2"))
    line = lineage(kin(FIRST, version(1, "old"), version(2, "new"), experiments=(won,)))
    assert line.champion == "churn-2"
    assert line.history[0].reason == "won Experiment e"
    assert line.warm == {"churn-1", "churn-2"}


def test_an_old_victory_is_not_won_again() -> None:
    """After a return to version 1 the Experiment that version 2 once won means nothing."""
    back = model(
        champion="churn-1",
        history=[reign("churn-1", 0.05), reign("churn-2", 5)],
        sourceDigest="old",
        sourceGeneration=3,
    )
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2", hours_ago=5))
    assert (
        lineage(kin(back, version(1, "old"), version(2, "new"), digest="old", experiments=(won,))).champion
        == "churn-1"
    )


@pytest.mark.parametrize(
    ("hours", "champion", "made"), [(0.5, "churn-1", None), (5, "churn-2", "churn-1-g2")]
)
def test_going_back_is_at_once_within_the_window_and_an_experiment_after_it(
    hours: float, champion: str, made: str | None
) -> None:
    now = model(champion="churn-2", history=[reign("churn-2", hours), reign("churn-1", 48)])
    line = lineage(kin(now, version(1, "old"), version(2, "new"), digest="old"))
    assert (line.champion, line.make_experiment) == (champion, made)


def test_only_a_version_that_answers_is_crowned() -> None:
    won = experiment("e", "churn-1", "churn-2", **decided("Promote", "churn-2"))
    line = lineage(
        kin(FIRST, version(1, "old"), version(2, "new"), experiments=(won,), available=frozenset({"churn-1"}))
    )
    assert line.champion == "churn-1"


def test_an_experiment_of_a_version_nobody_wants_is_superseded() -> None:
    assert superseded(experiment("e", "churn-1", "churn-2"), wanted="churn-3")
    assert not superseded(experiment("e", "churn-1", "churn-2"), wanted="churn-2")
    by_hand = experiment("e", "churn-1", "churn-2")
    by_hand = by_hand.model_copy(update={"metadata": by_hand.metadata.model_copy(update={"labels": {}})})
    assert not superseded(by_hand, wanted="churn-3")


def test_history_keeps_what_serves_what_is_wanted_and_the_newest() -> None:
    versions = tuple(version(n, f"s{n}") for n in range(1, 7))
    now = model(champion="churn-2", history=[reign("churn-2", 48)])
    family = kin(now, *versions, digest="s6")
    gone, _ = expendable(family, lineage(family))
    assert gone == ("churn-1", "churn-3", "churn-4", "churn-5")


def test_history_keeps_what_an_experiment_still_waits_for() -> None:
    """By hand, and not yet its turn."""
    versions = tuple(version(n, f"s{n}") for n in range(1, 7))
    now = model(champion="churn-2", history=[reign("churn-2", 48)])
    waits = experiment("by-hand", "churn-2", "churn-3")
    waits = waits.model_copy(update={"metadata": waits.metadata.model_copy(update={"labels": {}})})
    family = kin(now, *versions, digest="s6", experiments=(waits,))
    line = lineage(family)
    assert line.awaited == {"churn-2", "churn-3", "churn-6"}
    gone, _ = expendable(family, line)
    assert gone == ("churn-1", "churn-4", "churn-5")


def test_history_keeps_what_may_come_back() -> None:
    """The former champion within its window; after it, age decides."""
    versions = tuple(version(n, f"s{n}") for n in range(1, 7))
    for hours, kept in ((0.5, True), (5, False)):
        now = model(champion="churn-2", history=[reign("churn-2", hours), reign("churn-1", 48)])
        family = kin(now, *versions, digest="s6")
        gone, _ = expendable(family, lineage(family))
        assert ("churn-1" not in gone) is kept


def asking(name: str) -> Model:
    """Return the Model whose user wants no version up to this one."""
    metadata = FIRST.metadata.model_copy(update={"annotations": {"assay.dev/retrain": name}})
    return FIRST.model_copy(update={"metadata": metadata})


def test_what_is_the_same_is_used_again_unless_asked() -> None:
    versions = version(1, "new"), version(2, "old")
    assert lineage(kin(FIRST, *versions)).wanted == "churn-1"
    line = lineage(kin(asking("churn-2"), *versions))
    assert (line.wanted, line.make_version, line.again) == ("", 3, True)
    assert line.champion == "churn-1", "it serves on"
    assert lineage(kin(asking("churn-2"), *versions, digest="other")).again is False


def test_asking_once_makes_one_version() -> None:
    versions = version(1, "new"), version(2, "old"), version(3, "new")
    line = lineage(kin(asking("churn-2"), *versions))
    assert (line.wanted, line.make_version) == ("churn-3", None)


@pytest.mark.parametrize("word", ["", "yes", "churn-", "churn-²"])
def test_a_word_that_names_no_version_asks_for_nothing(word: str) -> None:
    assert lineage(kin(asking(word), version(1, "new"))).wanted == "churn-1"
