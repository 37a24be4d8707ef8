"""One Event for each transition that people should know of, and none for the rest."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_api import Condition, Metadata, Model, ModelSpec, merged
from assay_api.reason import REASONS, Reason
from assay_operator.manifests.event import events, happened

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
METADATA = Metadata.model_validate({"name": "churn", "namespace": "team", "uid": "u-1", "generation": 1})
CHURN = Model(metadata=METADATA, spec=ModelSpec.model_validate({"image": {"image": "one"}}))
Words = dict[str, str]


def condition(kind: str, words: str, now: datetime = NOW) -> Condition:
    """`True Serving: it answers`."""
    head, _, message = words.partition(": ")
    status, reason = head.split()
    fields = {"type": kind, "status": status, "reason": reason, "message": message or f"about {reason}"}
    return Condition.model_validate(fields | {"observedGeneration": 1, "lastTransitionTime": now})


def conditions(words: Words, known: tuple[Condition, ...] = (), now: datetime = NOW) -> tuple[Condition, ...]:
    return merged(known, *(condition(kind, text, now) for kind, text in words.items()))


def posted(before: Words, after: Words) -> list[dict[str, Any]]:
    known = conditions(before)
    later = NOW + timedelta(seconds=1)
    return list(events(CHURN, known, conditions(after, known, later), later))


def reported(before: Words, after: Words) -> list[tuple[str, str]]:
    return [(event["type"], event["reason"]) for event in posted(before, after)]


def shown(ready: str, progressing: str, degraded: str) -> Words:
    """The five conditions that every object of ours has."""
    status, reason = progressing.split(maxsplit=1)
    stalled = "True" if (status, ready.split(maxsplit=1)[0]) == ("False", "False") else "False"
    mirrors = {"Reconciling": progressing, "Stalled": f"{stalled} {reason}"}
    return {"Ready": ready, "Progressing": progressing, "Degraded": degraded, **mirrors}


RUNS = shown("Unknown Running", "True Running", "False AllArmsHealthy")
CASES = [
    pytest.param(RUNS, RUNS, [], id="nothing happened"),
    pytest.param({}, shown("Unknown Queued", "True Queued", "False AsExpected"), [], id="waiting is no news"),
    pytest.param(
        RUNS, shown("Unknown Running", "True NoData", "False AllArmsHealthy"), [], id="no data yet is no news"
    ),
    pytest.param(
        RUNS,
        shown("Unknown Running", "True StaleData", "False AllArmsHealthy"),
        [("Warning", "StaleData")],
        id="stale data is a fault",
    ),
    pytest.param(
        RUNS,
        shown("True CandidateWins", "False CandidateWins", "False AsExpected"),
        [("Normal", "CandidateWins")],
        id="a promotion is one Event, and no Warning",
    ),
    pytest.param(
        RUNS,
        shown("False GuardrailBreached", "False GuardrailBreached", "True GuardrailBreached"),
        [("Warning", "GuardrailBreached")],
        id="a rollback is one Event, and a Warning",
    ),
    pytest.param(
        RUNS,
        shown("False Aborted", "False Aborted", "False AsExpected"),
        [("Normal", "Aborted")],
        id="what a person asked for is no Warning",
    ),
    pytest.param(
        shown("True Serving", "False Idle", "False AsExpected"),
        shown("False ChampionDown", "True Training", "True ChampionDown"),
        [("Warning", "ChampionDown")],
        id="each reason for itself",
    ),
    pytest.param(
        {"Ready": "True Serving", "DataValid": "True DataValid"},
        {"Ready": "False ChampionDown", "DataValid": "False KeyNull"},
        [("Warning", "ChampionDown"), ("Warning", "KeyNull")],
        id="two faults at once are two Events",
    ),
    pytest.param(
        {"Ready": "False GateFailed: auc 0.5"},
        {"Ready": "False GateFailed: auc 0.5", "Degraded": "True GateFailed: auc 0.5"},
        [],
        id="a condition that repeats another one",
    ),
    pytest.param(
        {"Degraded": "True ArmDropped: b", "Progressing": "True Running"},
        {"Degraded": "True ArmDropped: b, c", "Progressing": "True ArmDropped: c"},
        [("Warning", "ArmDropped")],
        id="the second arm that is dropped",
    ),
    pytest.param({"Ready": "True Serving"}, {"Ready": "True Serving: two pods"}, [], id="other words alone"),
    pytest.param(
        {"Ready": "True Serving"}, {"Ready": "False Odd"}, [("Normal", "Odd")], id="an unknown word"
    ),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES)
def test_what_is_posted(before: Words, after: Words, expected: list[tuple[str, str]]) -> None:
    assert reported(before, after) == expected


HAPPY = [
    {},
    shown("Unknown VersionNotReady", "True VersionNotReady", "False AsExpected"),
    shown("Unknown ArmNotReady", "True ArmNotReady", "False AsExpected"),
    *(
        words | {"Programmed": "True Programmed"}
        for words in (
            shown("Unknown Running", "True Started", "False AllArmsHealthy"),
            shown("Unknown Running", "True NoData", "False AllArmsHealthy"),
            *(
                shown("Unknown Running", f"True {text}", "False AllArmsHealthy")
                for percent in (5, 20, 50)
                for text in ("NotProgrammed", "Running", f"StepDone: candidates get {percent}% of all units")
            ),
            shown("Unknown Running", "True RatioUnknown", "False AllArmsHealthy"),
            shown("Unknown Running", "True WaitingForApproval", "False AllArmsHealthy"),
            shown("True CandidateWins", "False CandidateWins", "False AsExpected"),
        )
    ),
    {"Closed": "True Closed"},
]


def test_a_happy_experiment_posts_few_events_and_no_warning() -> None:
    known: tuple[Condition, ...] = ()
    found = []
    for second, words in enumerate(HAPPY):
        moment = NOW + timedelta(seconds=second)
        fresh = conditions(words, known, moment)
        found += list(events(CHURN, known, fresh, moment))
        known = fresh
    reasons = [event["reason"] for event in found]
    assert reasons == ["Started", *["StepDone"] * 3, "WaitingForApproval", "CandidateWins"]
    assert {event["type"] for event in found} == {"Normal"}
    assert len({event["metadata"]["name"] for event in found}) == len(found) <= 8


def test_the_same_fault_later_is_another_event() -> None:
    good, bad = {"Ready": "True Serving"}, {"Ready": "False ChampionDown"}
    history = [conditions(good)]
    for second, words in enumerate((bad, good, bad), 1):
        history.append(conditions(words, history[-1], NOW + timedelta(seconds=second)))
    names = [e["metadata"]["name"] for a, b in pairwise(history) for e in events(CHURN, a, b, NOW)]
    assert len(names) == len(set(names)) == 3


def test_a_hold_that_comes_and_goes_is_one_event() -> None:
    runs, stale = (
        shown("Unknown Running", f"True {reason}", "False AllArmsHealthy")
        for reason in ("Running", "StaleData")
    )
    history = [conditions(runs)]
    for second in range(1, 9):
        words = stale if second % 2 else runs
        history.append(conditions(words, history[-1], NOW + timedelta(seconds=second)))
    found = [event["metadata"]["name"] for a, b in pairwise(history) for event in events(CHURN, a, b, NOW)]
    assert (len(found), len(set(found))) == (4, 1)


def test_what_was_not_posted_before_a_death_is_posted_once() -> None:
    """The status was written; whether its Events were is not known, so they are posted again."""
    known = conditions(RUNS)
    later = NOW + timedelta(seconds=1)
    after = conditions(shown("False PrimaryWorse", "False PrimaryWorse", "True PrimaryWorse"), known, later)
    (first,) = events(CHURN, known, after, later)
    (again,) = events(CHURN, (), [c for c in after if c.type == "Ready"], later + timedelta(hours=1))
    assert first["metadata"]["name"] == again["metadata"]["name"]


def test_the_condition_that_matters_most_has_the_word() -> None:
    before = shown("True Serving", "False Idle", "False AsExpected")
    after = {
        "Progressing": "True NameTaken: c",
        "Degraded": "True NameTaken: b",
        "Ready": "False NameTaken: a",
    }
    assert [event["message"] for event in posted(before, after)] == ["a"]


def test_an_event_names_its_object_and_fits() -> None:
    (event,) = posted({"Ready": "True Serving"}, {"Ready": f"False ChampionDown: {'x' * 2000}"})
    assert event["involvedObject"]["uid"] == "u-1"
    assert (event["metadata"]["namespace"], len(event["message"])) == ("team", 1024)
    assert event["reason"] == "ChampionDown"
    assert type(event["reason"]) is str


def test_what_no_condition_carries_has_an_event_of_its_own() -> None:
    first = happened(CHURN, Reason.CHAMPION_CHANGED, "churn-2: won churn-2-g2", NOW)
    again = happened(CHURN, Reason.CHAMPION_CHANGED, "churn-2: won churn-2-g2", NOW + timedelta(hours=1))
    other = happened(CHURN, Reason.CHAMPION_CHANGED, "churn-1: restored", NOW)
    assert first["metadata"] == again["metadata"] != other["metadata"]
    assert (first["type"], first["reason"]) == ("Normal", "ChampionChanged")


STATES = st.builds(
    "{} {}: {}".format,
    st.sampled_from(("True", "False")),
    st.sampled_from(tuple(Reason)),
    st.sampled_from("ab"),
)
SETS = st.dictionaries(st.sampled_from(("Ready", "Progressing", "Degraded", "Stalled", "Available")), STATES)


@given(SETS, SETS)
def test_each_event_is_of_a_reason_that_is_posted_and_each_reason_comes_once(
    before: Words, after: Words
) -> None:
    found = posted(before, after)
    reasons = [event["reason"] for event in found]
    assert len(reasons) == len(set(reasons))
    for event in found:
        documented = REASONS[Reason(event["reason"])]
        assert documented.event
        assert event["type"] == documented.event_type
        assert event["reason"] in _reasons(after.values())


@given(SETS)
def test_what_did_not_change_is_not_posted(words: Words) -> None:
    assert posted(words, words) == []


def _reasons(text: Iterable[str]) -> set[str]:
    return {words.partition(": ")[0].split()[1] for words in text}
