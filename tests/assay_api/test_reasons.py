"""Every reason that the code gives is documented, and every documented one is given: the code is walked."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import assay_api
from assay_api.reason import REASONS, TABLES, VERDICTS, Documented, Reason, known

ROOT = Path(__file__).parents[2]
OPERATOR, SERVICES = ROOT / "operator", ROOT / "services"
TRAINER = ("assay_training", "assay_serving", "assay_artifact")
WORD = re.compile(r"(?:[A-Z]+[a-z]+)+")

# Where a call takes its reason; the functions of the operator, then those of the trainer and the predictor.
OPERATORS = {
    "Decision": 1,
    "StartBlocker": 1,
    "Situation": 0,
    "Obstacle": 0,
    "Ending": 0,
    "progress": 0,
    "DesiredCondition": 2,
    "VersionProgress": 2,
    "Gap": 1,
    "Sample": 1,
    "_doubt": 1,
    "_inconclusive": 1,
}
REPORTERS = dict.fromkeys(("JobError", "ArtifactError", "Finding", "failure", "refused"), 0)
CONDITIONS = {
    "Ready",
    "Progressing",
    "Degraded",
    "Available",
    "Programmed",
    "Closed",
    "Acknowledged",
    "DriftDetected",
    "DataValid",
}
FINAL = {"Promote", "RollBack", "Invalidate", "Conclude", "Abort"}


# Words that the enumeration has given up, and words of it that no code uses yet: both only shrink.
@cache
def trees(*roots: Path) -> tuple[ast.AST, ...]:
    files = [file for root in roots for file in sorted(root.rglob("*.py")) if "reason" not in file.parts]
    return tuple(ast.parse(file.read_text()) for file in files)


def operator() -> tuple[ast.AST, ...]:
    return trees(OPERATOR / "assay_operator", OPERATOR / "assay_api")


def trainer() -> tuple[ast.AST, ...]:
    return trees(*(SERVICES / name for name in TRAINER))


def functions(tree: ast.AST) -> Iterator[ast.AST]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def words(node: ast.AST) -> set[str]:
    """Words that look like a reason, anywhere in a piece of code."""
    constants = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    return {word for word in constants if WORD.fullmatch(word)}


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def arguments(tree: ast.AST, places: dict[str, int]) -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls with what they give as the reason."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        position = places.get(name_of(call))
        named = [keyword.value for keyword in call.keywords if keyword.arg == "reason"]
        if position is not None and (named or len(call.args) > position):
            yield call, named[0] if named else call.args[position]


def conditions(tree: ast.AST) -> Iterator[ast.expr]:
    """The third of each tuple that is a condition: type, status, reason and message."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Tuple) and len(node.elts) == len(("type", "status", "reason", "message")):
            kind, status, *_ = (getattr(element, "value", None) for element in node.elts)
            if kind in CONDITIONS and status not in CONDITIONS:
                yield node.elts[2]


def given_by_the_operator() -> set[str]:
    calls = {word for tree in operator() for _, given in arguments(tree, OPERATORS) for word in words(given)}
    return calls | {word for tree in operator() for given in conditions(tree) for word in words(given)}


def given_by_the_trainer() -> set[str]:
    """Where the reason is a variable, every word of the function may be it."""
    found = set()
    for function in (f for tree in trainer() for f in functions(tree)):
        for _, given in arguments(function, REPORTERS):
            found |= words(function if isinstance(given, ast.Name) else given)
    return found


def used() -> set[Reason]:
    """Reasons that stand anywhere in the code, as a member or as a word."""
    found = set()
    for tree in (*operator(), *trainer()):
        found |= {Reason(word) for word in words(tree) if word in REASONS}
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Reason":
                found.add(Reason[node.attr])
    return found


def test_every_reason_of_the_operator_is_documented() -> None:
    assert given_by_the_operator() - set(REASONS) == set()


def test_every_reason_of_the_trainer_and_the_predictor_is_documented() -> None:
    assert given_by_the_trainer() - set(REASONS) == set()
    assert len(given_by_the_trainer()) > 40, "the walk finds what it is after"


def test_every_documented_reason_is_used() -> None:
    assert set(REASONS) - used() == set()


def outcomes() -> Iterator[tuple[str, str]]:
    """Kind and reason of every outcome that is written out."""
    for tree in operator():
        for call, given in arguments(tree, {"Decision": 1}):
            kind = call.args[0]
            if isinstance(kind, ast.Constant) and isinstance(given, ast.Constant):
                yield str(kind.value), str(given.value)
            elif (
                isinstance(kind, ast.Constant)
                and isinstance(given, ast.Attribute)
                and getattr(given.value, "id", "") == "Reason"
            ):
                yield str(kind.value), Reason[given.attr]


def test_a_verdict_has_a_reason_of_a_verdict_and_a_hold_has_another() -> None:
    found = set(outcomes())
    assert len(found) >= 20
    assert {reason for kind, reason in found if kind in FINAL} <= set(VERDICTS)
    holds = {reason for kind, reason in found if kind not in FINAL}
    assert {r for r in holds if "Experiment.Progressing" not in REASONS[Reason(r)].places} == set()


def test_each_reason_stands_in_one_table() -> None:
    written = [reason for table in TABLES.values() for reason in table]
    assert sorted(written) == sorted(Reason)


@pytest.mark.parametrize(("reason", "it"), REASONS.items(), ids=map(str, REASONS))
def test_a_reason_says_what_is_so_and_what_to_do(reason: Reason, it: Documented) -> None:
    for sentence in (it.meaning, it.action):
        assert sentence.endswith(".")
        assert "|" not in sentence
    assert WORD.fullmatch(reason)
    assert reason.name == re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=AA)(?=[A-Z])", "_", reason).upper()
    assert it.event == (it.severity != "Info")
    if it.severity == "Warning":
        assert it.action != "Nothing."


STATUSES: dict[str, type[BaseModel]] = {
    "Model": assay_api.ModelStatus,
    "ModelVersion": assay_api.VersionStatus,
    "Experiment": assay_api.ExperimentStatus,
}


@pytest.mark.parametrize("place", sorted({place for it in REASONS.values() for place in it.places}))
def test_a_place_is_a_condition_or_a_field(place: str) -> None:
    kind, name = place.split(".")
    assert name in CONDITIONS | {"Overfitting", "Underfitting"} or name in STATUSES[kind].model_fields


def test_the_page_has_every_reason() -> None:
    page = (ROOT / "docs" / "reference" / "reasons.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == sorted(Reason)


def test_the_reasons_of_the_contract_are_documented() -> None:
    concepts = (ROOT / "docs" / "concepts.md").read_text()
    section = concepts[concepts.index("## Conditions") : concepts.index("## What decides")]
    cells = re.findall(r"(?:True|False|Unknown) `(\w+)`", section)
    assert set(cells) - set(REASONS) == set()
    assert len(cells) > 30


@pytest.mark.parametrize("word", [*(reason.value for reason in Reason), "", "odd", "gatefailed"])
def test_a_word_from_outside_is_known_or_replaced(word: str) -> None:
    expected: Any = word if word in REASONS else Reason.POD_TROUBLE
    assert known(word, Reason.POD_TROUBLE) == expected


def test_a_reason_is_written_as_its_word() -> None:
    parsed = assay_api.Condition.model_validate(
        {
            "type": "Ready",
            "status": "True",
            "reason": Reason.SERVING,
            "message": "it answers",
            "observedGeneration": 1,
            "lastTransitionTime": "2026-01-02T03:04:05Z",
        }
    )
    assert parsed.model_dump(mode="json")["reason"] == "Serving"
    assert parsed.reason == f"{Reason.SERVING}" == "Serving"


def missing(found: Iterable[str]) -> set[str]:
    return set(found) - set(REASONS)


SAMPLE = """
def fails(error):
    reason = "DataNotFound" if error else "Unheard"
    return JobError(reason, "some words; and a word")

def holds(seen):
    return Decision("Hold", "Odd", "NotThis")

condition = ("Ready", False, "Refused" if now else "Strange", programmed.message)
"""


def test_the_walk_finds_what_is_not_documented() -> None:
    tree = ast.parse(SAMPLE)
    (fails, _) = functions(tree)
    assert missing(words(fails)) == {"Unheard"}
    assert {word for _, given in arguments(tree, OPERATORS) for word in words(given)} == {"Odd"}
    assert {word for given in conditions(tree) for word in words(given)} == {"Refused", "Strange"}
