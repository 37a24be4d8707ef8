"""Whatever is sent, by whomever: an answer that the API's description knows, and nothing is disturbed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROLES = {"/v1/outcomes": "application", "/v1/exposures": "gateway", "/v1/experiments/fuzz": "operator"}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
words = st.text(max_size=8)
anything = st.recursive(scalars, lambda some: st.lists(some) | st.dictionaries(words, some), max_leaves=8)
names = st.sampled_from(
    ["demo/churn", "churn", "demo", "retained", "paid", "control", "exp-1", "", "\x00", "é" * 9]
)


def bent(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Records that are nearly right: each field is as it should be, or anything, or missing."""
    return st.fixed_dictionaries(
        {}, optional={name: right | names | anything for name, right in fields.items()}
    )


outcome = bent(
    model=st.just("demo/churn"), namespace=st.just("demo"), unit=st.text(), metric=st.just("retained"),
    value=st.floats(), time=st.floats() | st.datetimes().map(str), id=st.text(),
)  # fmt: skip
exposure = bent(
    id=st.text(), ts=st.floats(), experiment=st.just("exp-1"), epoch=st.integers(), unit=st.just("0" * 32),
    arm=st.just("control"), served=st.just("control"), status=st.integers(), duration_us=st.integers(),
    attempts=st.integers(), audit=st.just("ok"),
)  # fmt: skip
metric = bent(
    name=st.just("m"), type=st.just("Mean"), source=st.just("Events"), windowSeconds=st.floats(),
    cap=st.floats(), missing=st.just("Zero"), aggregate=st.just("Sum"), slowerThanUs=st.integers(),
)  # fmt: skip
experiment = bent(
    namespace=st.just("demo"), name=st.just("e"), model=st.just("churn"), arms=st.just(["control"]),
    table=st.just("control:0-5"), epoch=st.integers(), metrics=st.lists(metric, max_size=3),
    startedAt=st.datetimes().map(str), closed=st.booleans(),
)  # fmt: skip

bodies = st.one_of(
    st.binary(max_size=200),
    st.one_of(outcome, exposure, experiment, st.lists(outcome | exposure, max_size=4), anything).map(
        lambda record: json.dumps(record).encode()
    ),
    st.lists(outcome | exposure, max_size=4).map(lambda each: "\n".join(map(json.dumps, each)).encode()),
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, make_local: Any) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with make_local(folder) as local:
        metrics = [{"name": "retained", "type": "Proportion"}, {"name": "paid", "type": "Mean"}]
        plain = {"namespace": "demo", "name": "e", "model": "churn", "arms": ["control"], "metrics": metrics}
        assert local.client("operator").put("/v1/experiments/exp-1", json=plain).is_success
        yield local


def assert_described(fuzzed: Any, path: str, method: str, answer: Any) -> None:
    """The document says of this operation that it may answer so, with a body like this."""
    document = fuzzed.client("nobody").get("/openapi.json").json()
    place = "/v1/experiments/{uid}" if "experiments" in path else path
    status = str(answer.status_code)
    responses = document["paths"][place][method]["responses"]
    declared = responses.get(status) or responses[f"{status[0]}XX"]
    schema = declared["content"][answer.headers["content-type"]]["schema"]
    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(ROLES)), bodies, st.sampled_from([None, "gzip", "br", "identity"]))
def test_no_body_is_a_server_error(fuzzed: Any, path: str, body: bytes, encoding: str | None) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    client = fuzzed.client(ROLES[path])
    method = "PUT" if "experiments" in path else "POST"
    answer = client.request(method, path, content=body, headers=headers)
    assert answer.status_code in (200, 400, 409, 413, 415, 422), answer.text
    assert_described(fuzzed, path, method.lower(), answer)
    if answer.status_code != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=300), st.text(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_no_path_or_query_is_a_server_error(
    fuzzed: Any, uid: str, unit: str, since: str, timeout: str
) -> None:
    client = fuzzed.client("operator")
    name = quote(uid, safe="")
    for path in (f"/v1/experiments/{name}/summary", f"/v1/experiments/{name}/units/{quote(unit, safe='')}"):
        assert client.get(path).status_code in (404, 422)
    query = {"since": since, "timeout": "0" if timeout.strip().replace(".", "").isdigit() else timeout}
    assert client.get("/v1/changes", params=query).status_code in (200, 422)


def test_after_all_that_the_ledger_still_works(fuzzed: Any) -> None:
    with fuzzed.client("application") as client:
        record = {"model": "demo/churn", "unit": "ann", "metric": "retained", "value": True, "id": "the last"}
        assert client.post("/v1/outcomes", json=record).json()["accepted"] == 1
        assert client.get("/livez").text == "ok"
