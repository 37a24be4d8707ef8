"""The contract of the conditions: docs, kstatus and our promises agree, and a breach is noticed."""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from kstatus import judged, moved
from situations import SITUATIONS, Situation, condition

CONCEPTS = (Path(__file__).parents[2] / "docs" / "concepts.md").read_text()
ROW = re.compile(r"^\| (.+?) \|$", re.MULTILINE)
BY_NAME = {(s.kind, s.progressing): s for s in reversed(SITUATIONS)}  # the first of each
Body = dict[str, Any]


def named(one: Situation) -> str:
    return f"{one.kind}: {one.name}, {one.progressing.split()[1]}"


@pytest.mark.parametrize("one", SITUATIONS, ids=named)
def test_every_situation_keeps_the_promises_and_ends_where_tools_expect_it(one: Situation) -> None:
    result = judged(one.body, settled=True)
    assert (result.violations, result.status) == ((), one.kstatus)


def table(kind: str) -> dict[str, dict[str, str]]:
    """The rows of docs/concepts.md, by their first cell."""
    text = CONCEPTS[CONCEPTS.index(f"| {kind} | Ready |") :].split("\n\n")[0]
    head, *rows = [[cell.strip() for cell in row.split("|")] for row in ROW.findall(text)]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize("kind", ["Model", "ModelVersion", "Experiment"])
def test_the_documented_rows_are_the_tested_situations(kind: str) -> None:
    assert set(table(kind)) == {one.name for one in SITUATIONS if one.kind == kind}


@pytest.mark.parametrize("one", SITUATIONS, ids=named)
def test_the_documented_statuses_are_the_tested_ones(one: Situation) -> None:
    row = table(one.kind)[one.name]
    tested = {
        "Ready": one.ready,
        "Progressing": one.progressing,
        "Degraded": one.degraded,
        "Stalled": one.stalled,
        "kstatus": one.kstatus,
        "Available": one.available or "-",
    }
    for kind, cell in row.items():
        if not cell.startswith("as before"):
            assert cell.split()[0].rstrip(",") == tested[kind].split()[0], kind


def spoilt(
    change: Callable[[Body, dict[str, Body]], Any], kind: str = "Model", of: str = "False Idle"
) -> Body:
    body: Body = deepcopy(BY_NAME[kind, of].body)
    change(body, {c["type"]: c for c in body["status"]["conditions"]})
    return body


def both(_: Body, c: dict[str, Body]) -> None:
    for kind in ("Progressing", "Reconciling", "Stalled"):
        c[kind]["status"] = "True"


def dead(_: Body, c: dict[str, Body]) -> None:
    c["Ready"] |= {"status": "False", "reason": "NoChampion"}


BREACHES = [
    pytest.param(spoilt(both), "Progressing and Stalled are both True", id="both"),
    pytest.param(spoilt(dead), "wait for ever", id="a dead end"),
    pytest.param(
        spoilt(lambda _, c: c["Ready"].update(message=" ")), "Ready has no message", id="no message"
    ),
    pytest.param(spoilt(lambda _, c: c["Ready"].update(reason="Fine")), "'Fine', which", id="unknown reason"),
    pytest.param(
        spoilt(lambda _, c: c["Ready"].update(reason="Idle")), "not documented for it", id="elsewhere"
    ),
    pytest.param(spoilt(lambda _, c: c["Ready"].update(status="Yes")), "status 'Yes'", id="no status"),
    pytest.param(spoilt(lambda _, c: c["Ready"].update(lastTransitionTime="now")), "'now'", id="no time"),
    pytest.param(
        spoilt(lambda _, c: c["Ready"].update(observedGeneration=1)), "Ready=True observed", id="old"
    ),
    pytest.param(
        spoilt(lambda b, _: b["status"].update(observedGeneration=3)), "generation is 2", id="ahead"
    ),
    pytest.param(spoilt(lambda b, _: b["status"]["conditions"].pop(4)), "no condition Stalled", id="absent"),
    pytest.param(spoilt(lambda b, c: b["status"]["conditions"].append(c["Ready"])), "twice", id="twice"),
    pytest.param(spoilt(lambda _, c: c["Reconciling"].update(status="True")), "in status", id="unlike"),
    pytest.param(
        spoilt(lambda _, c: c["Stalled"].update(message="x")), "differ in message", id="other words"
    ),
    pytest.param(
        spoilt(lambda _, c: c["Degraded"].update(status="True")),
        "whose severity is Info",
        id="bad for no reason",
    ),
    pytest.param(
        spoilt(lambda _, c: c["Ready"].update(status="True"), "Experiment", "True Queued"),
        "Ready=True before it is decided",
        id="ready before the verdict",
    ),
    pytest.param(
        spoilt(lambda _, c: c["Ready"].update(status="True"), "Experiment", "False GuardrailBreached"),
        "Ready=True after GuardrailBreached, promised is False",
        id="a rollback that is ready",
    ),
    pytest.param(
        spoilt(lambda b, _: b["status"]["decision"].update(reason="Idle"), "Experiment", "False Aborted"),
        "decision has reason 'Idle'",
        id="no verdict's reason",
    ),
    pytest.param(
        spoilt(
            lambda b, _: b["status"].update(findings=[{"reason": "Odd", "message": ""}]),
            "ModelVersion",
            "False GatesPassed",
        ),
        "a finding has reason 'Odd'",
        id="no finding's reason",
    ),
]


@pytest.mark.parametrize(("body", "words"), BREACHES)
def test_a_breach_is_noticed(body: Body, words: str) -> None:
    assert [v for v in judged(body).violations if words in v]


def test_ready_of_an_older_spec_is_a_breach_only_once_there_was_time_to_look() -> None:
    body = spoilt(lambda b, _: b["metadata"].update(generation=3))
    assert judged(body).violations == ()
    assert judged(body).status == "InProgress"
    assert judged(body, settled=True).violations == ("Ready=True of generation 2, the present one is 3",)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"kind": "Secret", "metadata": {}}, "Current", id="what has no status is done"),
        pytest.param(
            {"kind": "Model", "metadata": {"deletionTimestamp": "now", "generation": 1}},
            "Terminating",
            id="what goes away is going",
        ),
        pytest.param(
            {"kind": "Pod", "metadata": {}, "status": {"conditions": [condition("Ready", "False", "Odd")]}},
            "InProgress",
            id="what is not ready may become so",
        ),
        pytest.param(
            {"kind": "Pod", "metadata": {}, "status": {"conditions": [condition("Ready", "True", "Odd")]}},
            "Current",
            id="reasons of others are theirs",
        ),
    ],
)
def test_objects_of_others_are_judged_by_the_same_rules(body: Body, status: str) -> None:
    result = judged(body)
    assert (result.status, result.violations) == (status, ())


def after(
    change: Callable[[Body, dict[str, Body]], Any], of: str = "False Idle", kind: str = "Model"
) -> list[str]:
    return list(moved(BY_NAME[kind, of].body, spoilt(change, kind, of)))


LATER = {"lastTransitionTime": "2026-01-02T03:04:06Z"}
EARLIER = {"lastTransitionTime": "2026-01-02T03:04:04Z"}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            after(lambda _, c: c["Ready"].update(LATER)), "lastTransitionTime moved", id="time alone"
        ),
        pytest.param(
            after(lambda _, c: c["Ready"].update(EARLIER, status="False")),
            "went back",
            id="time runs backwards",
        ),
        pytest.param(
            after(lambda _, c: c["Ready"].update(observedGeneration=1)),
            "observed generation 2 before",
            id="older",
        ),
        pytest.param(
            after(lambda b, _: b["status"].update(observedGeneration=1)), "from 2 to 1", id="older status"
        ),
        pytest.param(after(lambda b, _: b["status"]["conditions"].pop()), "taken away", id="one less"),
        pytest.param(
            after(lambda b, _: b["status"].pop("decision"), "False Aborted", "Experiment"),
            "the decision Aborted became None",
            id="a verdict is taken back",
        ),
    ],
)
def test_a_step_that_must_not_be_is_noticed(found: list[str], words: str) -> None:
    assert len(found) == 1
    assert words in found[0]


def test_a_step_that_may_be_is_none() -> None:
    assert after(lambda _, c: c["Ready"].update(LATER, status="False", reason="ChampionDown")) == []
    assert after(lambda b, c: (b["metadata"].update(uid="v"), c["Ready"].update(LATER))) == []
