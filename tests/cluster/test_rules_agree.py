"""The API server and the types refuse the same objects, and read what is accepted as the same values.

Random objects are sent as dry runs: valid ones, ones that only the schema allows, and ones with something
broken. Whoever disagrees is shown with the API server's own words.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
import specs
from hypothesis import HealthCheck, given, note, seed, settings
from kubernetes.client.exceptions import ApiException
from pydantic import ValidationError

Send = Callable[[specs.Body], tuple[int, dict[str, Any]]]
EXAMPLES = 500
SEED = 20260713
RELAXED = settings(
    max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
PLURALS = {"Model": "models", "Experiment": "experiments", "ModelVersion": "modelversions"}

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def send(api_server: Any) -> Send:
    """Ask the API server what it makes of an object: the status code, and the object or the refusal."""
    api = api_server.client.client

    def sent(body: specs.Body) -> tuple[int, dict[str, Any]]:
        path = f"/apis/assay.dev/v1alpha1/namespaces/default/{PLURALS[body['kind']]}"
        try:
            made = api.call_api(
                path, "POST", query_params=[("dryRun", "All")], body=body,
                header_params={"Content-Type": "application/json", "Accept": "application/json"},
                auth_settings=["BearerToken"], _preload_content=False, _return_http_data_only=True,
            )  # fmt: skip
        except ApiException as refusal:
            return refusal.status, json.loads(refusal.body)
        return 201, json.loads(made.data)

    return sent


def agree(send: Send, body: specs.Body) -> None:
    """Both take it and read the same, or both refuse it."""
    code, answer = send(body)
    note(json.dumps(body))
    note(answer.get("message", "accepted"))
    assert code in {201, 400, 422}, answer
    try:
        ours = specs.parsed(body)
    except ValidationError as refusal:
        assert code != 201, f"only the types refuse it: {refusal}"
        return
    assert code == 201, f"only the API server refuses it: {answer['message']}"
    assert specs.parsed(answer).spec == ours.spec, "defaults differ"


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
