"""The API server and the types refuse the same objects, and read what is accepted as the same values.

Random objects are sent as dry runs: valid ones, ones that only the schema allows, and ones with something
broken. Whoever disagrees is shown with the API server's own words.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import edges
import experiment_cases
import largest
import model_cases
import pytest
import specs
from hypothesis import HealthCheck, Phase, given, seed, settings
from kubernetes.client.exceptions import ApiException
from pydantic import ValidationError

Send = Callable[[specs.Body], tuple[int, dict[str, Any]]]
EXAMPLES = int(os.environ.get("ASSAY_EXAMPLES", "70"))  # of each of nine tests
ACCEPTED, REFUSAL = 201, 422
SEED = 20260713
RELAXED = settings(
    max_examples=EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # to shrink takes longer than to read the refusal
)

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def send(api_server: Any) -> Send:
    """Ask the API server what it makes of an object: the status code, and the object or the refusal."""
    client = api_server.client

    def sent(body: specs.Body) -> tuple[int, dict[str, Any]]:
        kind = client.resources.get(api_version=body["apiVersion"], kind=body["kind"])
        try:
            made = kind.create(body=body, namespace="default", dry_run="All")
        except ApiException as refusal:
            return refusal.status, json.loads(refusal.body or "")
        return ACCEPTED, made.to_dict()

    return sent


def agree(send: Send, body: specs.Body) -> None:
    """Both take it and read the same, or both refuse it."""
    code, answer = send(body)
    assert code in {ACCEPTED, 400, 422}, answer
    ours, refusal = read(body)
    words = f"types: {refusal}; API server: {answer.get('message')}; object: {json.dumps(body)}"
    if "float64" in answer.get("message", ""):
        return  # 5.0 is an integer to its schema, but not to its rules
    assert (ours is None) == (code != ACCEPTED), words
    if ours:
        assert specs.parsed(answer).spec == ours.spec, words


def read(body: specs.Body) -> tuple[Any, ValidationError | None]:
    """Return what the types make of it: the object or the refusal."""
    try:
        return specs.parsed(body), None
    except ValidationError as refusal:
        return None, refusal


@pytest.mark.parametrize("kind", specs.KINDS)
def test_valid_objects_are_accepted_and_read_with_the_same_defaults(send: Send, kind: str) -> None:
    @RELAXED
    @seed(SEED)
    @given(specs.VALID[kind]())
    def holds(body: specs.Body) -> None:
        agree(send, body)

    holds()


@pytest.mark.parametrize("kind", specs.KINDS)
def test_objects_that_only_the_schema_allows_meet_the_same_rules(send: Send, kind: str) -> None:
    @RELAXED
    @seed(SEED)
    @given(specs.loose(kind))
    def holds(body: specs.Body) -> None:
        agree(send, body)

    holds()


@pytest.mark.parametrize("kind", specs.KINDS)
def test_broken_objects_are_refused_by_both_or_by_neither(send: Send, kind: str) -> None:
    @RELAXED
    @seed(SEED)
    @given(specs.broken(kind))
    def holds(body: specs.Body) -> None:
        agree(send, body)

    holds()


@pytest.mark.parametrize("kind", specs.KINDS)
def test_every_field_has_the_same_bounds(send: Send, kind: str) -> None:
    count = 0
    for body in edges.objects(kind):
        agree(send, body)
        count += 1
    assert count > EXAMPLES


def of_experiment(change: dict[str, Any]) -> specs.Body:
    return specs.body("Experiment", "exp", experiment_cases.USUAL | change)


REFUSED = [
    *(pytest.param(of_experiment(case.values[0]), case.values[1].message, id=case.id)
      for case in experiment_cases.REFUSED),
    *(pytest.param(specs.body("Model", "m", case.values[0]), case.values[1].message, id=case.id)
      for case in model_cases.REFUSED),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), REFUSED)
def test_each_rule_refuses_at_the_api_server_in_its_words(send: Send, body: specs.Body, message: str) -> None:
    code, answer = send(body)
    assert code == REFUSAL, answer
    assert message in answer["message"]


ACCEPTABLE = [
    *(pytest.param(of_experiment(case.values[0]), id=case.id) for case in experiment_cases.FINE),
    *(pytest.param(specs.body("Model", "m", case.values[0]), id=case.id) for case in model_cases.FINE),
    pytest.param(specs.body("Model", "m", largest.model()), id="the largest Model"),
    pytest.param(specs.body("ModelVersion", "m", largest.version()), id="the largest ModelVersion"),
    pytest.param(specs.body("Experiment", "m", largest.experiment()), id="the largest Experiment"),
]


@pytest.mark.parametrize("body", ACCEPTABLE)
def test_what_makes_sense_is_accepted_and_read_the_same(send: Send, body: specs.Body) -> None:
    agree(send, body)
    assert send(body)[0] == ACCEPTED


@pytest.mark.parametrize("case", [pytest.param(case.values[0], id=case.id) for case in model_cases.UNBOUNDED])
def test_bounds_hold_at_the_api_server(send: Send, case: dict[str, Any]) -> None:
    assert send(specs.body("Model", "m", case))[0] == REFUSAL


@pytest.mark.parametrize("name", ["a" * 41, "1a", "a.b", "prod--predictor"])
def test_the_name_of_a_model_leaves_room_for_its_children(send: Send, name: str) -> None:
    code, answer = send(specs.body("Model", name, model_cases.IMAGE))
    assert code == REFUSAL
    assert "metadata.name must" in answer["message"]


def test_the_whole_design_is_frozen_while_the_experiment_runs(objects: Any) -> None:
    """All fields but `suspend`; those of the layer and the hypothesis by their absence too."""
    objects.create(specs.body("Experiment", "exp", experiment_cases.USUAL))
    objects.patch("Experiment", "exp", {"spec": {"hypothesis": "more of them stay"}})
    objects.patch("Experiment", "exp", {"status": {"startedAt": "2026-01-01T00:00:00Z"}}, "status")
    changes: dict[str, Any] = {
        "hypothesis": None, "layer": {"name": "page", "share": 100}, "unit": {"header": "x-other"},
        "ramp": [{"percent": 7}], "decision": {"alpha": 0.01}, "modelRef": {"name": "another"},
        "metrics": {"secondary": [{"name": "more"}]},
    }  # fmt: skip
    for field, value in changes.items():
        with pytest.raises(ApiException) as refusal:
            objects.patch("Experiment", "exp", {"spec": {field: value}})
        assert f"{field} cannot change while the Experiment runs" in str(refusal.value.body)
    assert objects.patch("Experiment", "exp", {"spec": {"suspend": True}})["spec"]["suspend"] is True
