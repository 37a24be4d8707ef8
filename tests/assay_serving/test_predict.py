"""What a client sees, through HTTP, of a real process."""

import json
import math
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skl2onnx import to_onnx

ROW = {"age": 33, "plan": "pro", "spend": 3.5, "région": "n", "active": True}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return list(plain.to_dict("records"))


def offline(churn: Any, name: str, rows: list[dict[str, Any]]) -> Any:
    frame = churn.table(pd.DataFrame(rows, columns=[f.name for f in churn.FEATURES], dtype=object))
    return churn.fitted(name).predict_proba(frame)


def probabilities(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    return np.array([list(one["probabilities"].values()) for one in answer.json()["predictions"]])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["xgboost", "lightgbm"])
def test_boosters_of_others_answer_words_as_offline(churn: Any, start: Any, name: str) -> None:
    rows = records(churn.raw(300, seed=2))
    answer = start(name).ask(json={"rows": rows})
    expected = offline(churn, name, rows)
    np.testing.assert_allclose(probabilities(answer), expected, rtol=1e-6)
    labels = [one["label"] for one in answer.json()["predictions"]]
    assert labels == np.array(["leaves", "stays"])[expected.argmax(axis=1)].tolist()


@pytest.mark.parametrize("name", ["logistic", "forest"])
def test_answers_are_those_of_the_offline_pipeline(churn: Any, request: Any, name: str) -> None:
    rows = records(churn.raw(300, seed=2))
    answer = request.getfixturevalue(name).ask(json={"rows": rows})
    np.testing.assert_array_equal(probabilities(answer), offline(churn, name, rows))
    labels = [one["label"] for one in answer.json()["predictions"]]
    assert labels == list(churn.fitted(name).predict(churn.table(churn.raw(300, seed=2))))


def test_an_answer_says_who_gave_it_and_how_sure_it_is(logistic: Any) -> None:
    answer = logistic.ask(json={"rows": [ROW]}).json()
    assert (answer["model"], answer["version"]) == ("churn", "churn-1")
    (one,) = answer["predictions"]
    assert one["probability"] == max(one["probabilities"].values())
    assert math.isclose(sum(one["probabilities"].values()), 1)


def test_a_regression_gives_values(churn: Any, ridge: Any) -> None:
    rows = records(churn.raw(50, seed=3))
    values = [one["value"] for one in ridge.ask(json=rows).json()["predictions"]]
    expected = churn.fitted("ridge").predict(churn.table(churn.raw(50, seed=3)))
    np.testing.assert_array_equal(values, expected)


def test_an_id_is_the_callers_or_unique(logistic: Any) -> None:
    own = [logistic.ask(json=[ROW]).json()["id"] for _ in range(3)]
    assert len(set(own)) == 3
    given_id = logistic.ask(json=[ROW], headers={"x-request-id": "abc-1"}).json()["id"]
    assert given_id == "abc-1"


@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param({"rows": [ROW]}, 1, id="rows in an object"),
        pytest.param([ROW, ROW], 2, id="a bare list"),
        pytest.param([], 0, id="no rows, no predictions"),
        pytest.param([{"age": None, "plan": None}], 1, id="nulls, and keys that are missing"),
        pytest.param([{"plan": "never seen", "région": "南"}], 1, id="categories that were never seen"),
        pytest.param([{**ROW, "plan": 7, "région": False}], 1, id="categories that are no strings"),
        pytest.param([{**ROW, "age": 10**30, "spend": 1e-310}], 1, id="huge and tiny numbers"),
    ],
)
def test_rows_that_are_odd_but_fine_are_answered(logistic: Any, body: Any, count: int) -> None:
    answer = logistic.ask(json=body)
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == count


def test_columns_that_the_version_does_not_know_are_named_and_change_nothing(logistic: Any) -> None:
    plain, more = (logistic.ask(json=[row]).json() for row in (ROW, {**ROW, "x": 1, "customer_id": "c"}))
    assert more["ignored"] == ["customer_id", "x"]
    assert more["predictions"] == plain["predictions"]


BAD = [
    pytest.param(b"{", 400, "bad-json", {}, id="broken JSON"),
    pytest.param(b"\xff\xfe", 400, "bad-json", {}, id="no UTF-8"),
    pytest.param(b"3", 400, "bad-shape", {}, id="a number"),
    pytest.param(b'{"instances": []}', 400, "bad-shape", {}, id="a key of another protocol"),
    pytest.param(b'{"rows": {"age": 3}}', 400, "bad-shape", {}, id="rows that are no list"),
    pytest.param(b"[3]", 422, "bad-row", {"row": 0}, id="a row that is a number"),
    pytest.param(b'[{"age": 1}, null]', 422, "bad-row", {"row": 1}, id="a row that is null"),
    pytest.param(
        b'[{"age": "33"}]', 422, "bad-value", {"row": 0, "column": "age"}, id="a string for a number"
    ),
    pytest.param(b'[{"age": 1}, {"age": [1]}]', 422, "bad-value", {"row": 1, "column": "age"}, id="a list"),
    pytest.param(b'[{"plan": {"a": 1}}]', 422, "bad-value", {"row": 0, "column": "plan"}, id="an object"),
    pytest.param(b'[{"agee": 1}]', 422, "no-known-column", {"row": 0}, id="a row of strangers"),
    pytest.param(b'[{"age": NaN}]', 400, "bad-json", {}, id="a NaN, which is no JSON"),
    pytest.param(b'[{"age": 1e999}]', 400, "bad-json", {}, id="a number that is too large for JSON"),
]


@pytest.mark.parametrize(("body", "status", "code", "where"), BAD)
def test_a_mistake_is_answered_with_what_and_where(
    logistic: Any, body: bytes, status: int, code: str, where: dict[str, Any]
) -> None:
    answer = logistic.ask(content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:assay:{code}"
    assert problem["status"] == status
    assert where.items() <= problem.items()
    assert "Traceback" not in answer.text


def test_a_required_column_is_required_by_name(churn: Any, start: Any) -> None:
    features = tuple(f.model_copy(update={"nullable": f.name not in {"age", "plan"}}) for f in churn.FEATURES)
    server = start("logistic", features=features)
    for column in ("age", "plan"):
        answer = server.ask(json=[ROW, {**ROW, column: None}])
        assert (answer.status_code, answer.json()["row"], answer.json()["column"]) == (422, 1, column)
    assert server.get("/schema").json()["row"]["required"] == ["age", "plan"]


def test_other_media_types_are_refused_with_what_is_read(logistic: Any) -> None:
    answer = logistic.ask(content=b"<x/>", headers={"content-type": "text/xml"})
    assert answer.status_code == 415
    assert "application/json" in answer.json()["detail"]


def test_pickle_is_no_input(logistic: Any) -> None:
    headers = {"content-type": "application/vnd.bentoml+pickle"}
    assert logistic.ask(content=b"\x80\x04N.", headers=headers).status_code == 415


def test_a_body_without_end_is_cut_off(start: Any) -> None:
    server = start("logistic", {"ASSAY_MAX_BODY_BYTES": "100000", "ASSAY_MAX_ROWS": "3"})
    endless = (b" " * 1000 for _ in range(200))
    headers = {"content-type": "application/json"}
    assert server.ask(content=endless, headers=headers).status_code == 413
    assert server.ask(content=b" " * 100_001, headers=headers).status_code == 413
    answer = server.ask(json=[ROW] * 4)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:assay:too-many-rows")
    assert server.ask(json=[ROW] * 3).status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/predict", 405), ("GET", "/nope", 404)])
def test_wrong_doors_say_so(logistic: Any, method: str, path: str, status: int) -> None:
    assert httpx.request(method, logistic.url + path).status_code == status


def test_a_hundred_thousand_rows_are_answered_in_order(churn: Any, logistic: Any) -> None:
    few = records(churn.raw(1000, seed=4))
    answer = logistic.ask(json=few * 100)
    expected = offline(churn, "logistic", few)
    np.testing.assert_allclose(probabilities(answer), np.tile(expected, (100, 1)), rtol=0, atol=1e-12)


NUMBERS = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**64 - 1),
    st.booleans(),
)
WORDS = st.one_of(
    st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=9), st.sampled_from(["pro", "n"])
)
VALUES = {
    "age": NUMBERS,
    "plan": WORDS,
    "spend": NUMBERS,
    "région": WORDS,
    "active": st.booleans() | st.none(),
}
ROWS = st.lists(
    st.fixed_dictionaries({"age": NUMBERS}, optional={k: v for k, v in VALUES.items() if k != "age"}),
    min_size=1,
    max_size=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, name=st.sampled_from(["logistic", "forest"]))
@pytest.mark.filterwarnings("ignore")
def test_any_rows_are_answered_as_offline_or_refused_as_offline(
    churn: Any, logistic: Any, forest: Any, rows: list[dict[str, Any]], name: str
) -> None:
    server = {"logistic": logistic, "forest": forest}[name]
    answer = server.ask(content=json.dumps({"rows": rows}), headers={"content-type": "application/json"})
    try:
        expected = offline(churn, name, rows)
    except ValueError:
        assert answer.status_code == 422
        return
    np.testing.assert_array_equal(probabilities(answer), expected)


def test_a_graph_answers_over_http_as_offline_and_refuses_what_it_cannot_answer(
    churn: Any, start: Any
) -> None:
    """A bad row costs its own request only, and is the client's mistake, never an answer of null."""
    pipeline = churn.fitted("numbers")
    graph = to_onnx(pipeline, np.zeros((1, 2), np.float32), options={id(pipeline): {"zipmap": False}})
    content = {"model.onnx": graph.SerializeToString()}
    server = start("numbers", more=content, format="onnx", file="model.onnx")
    frame = churn.raw(300, seed=2)[["age", "spend"]].fillna(0)
    found = probabilities(server.ask(json=records(frame)))
    np.testing.assert_allclose(found, pipeline.predict_proba(frame), rtol=0, atol=1e-5)
    for value in (None, 1e39):
        answer = server.ask(json=[{"age": 1, "spend": value}])
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:assay:refused-by-model")


def test_metrics_bear_the_versions_name_and_no_path_of_a_client(logistic: Any) -> None:
    logistic.ask(json=[ROW])
    logistic.get("/made/up/by/a/client")
    page = logistic.get("/metrics").text
    owner = 'model="churn",namespace="demo"'
    assert f'assay_predictions_total{{{owner},route="/predict",status="200",version="churn-1"}}' in page
    assert f'assay_prediction_duration_seconds_count{{{owner},route="/predict",version="churn-1"}}' in page
    assert f'assay_batch_rows_count{{{owner},version="churn-1"}}' in page
    assert "made" not in page


def test_the_schema_accepts_what_the_model_accepts(logistic: Any) -> None:
    schema = logistic.get("/schema").json()
    assert [feature["name"] for feature in schema["features"]] == list(ROW)
    assert schema["classes"] == ["leaves", "stays"]
    assert schema["row"]["properties"]["age"] == {"type": ["number", "null"]}
