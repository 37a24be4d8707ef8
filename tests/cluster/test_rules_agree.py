"""The API server and the types refuse the same objects, and read what is accepted as the same values.

Random objects are sent as dry runs: valid ones, ones that only the schema allows, and ones with something
broken. Whoever disagrees is shown with the API server's own words.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
import specs
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from kubernetes.client.exceptions import ApiException
from pydantic import ValidationError

Send = Callable[[specs.Body], tuple[int, dict[str, Any]]]
EXAMPLES = int(os.environ.get("ASSAY_EXAMPLES", "70"))  # of each of nine tests
ACCEPTED = 201
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
            return refusal.status, json.loads(refusal.body)
        return ACCEPTED, made.to_dict()

    return sent


def agree(send: Send, body: specs.Body) -> None:
    """Both take it and read the same, or both refuse it."""
    code, answer = send(body)
    note(json.dumps(body))
    note(answer.get("message", "accepted"))
    assert code in {ACCEPTED, 400, 422}, answer
    ours, refusal = read(body)
    assert (ours is None) == (code != ACCEPTED), f"types: {refusal}; API server: {answer.get('message')}"
    if ours:
        assert specs.parsed(answer).spec == ours.spec, "defaults differ"


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
