"""The Open Inference Protocol, raw and through a client that others wrote."""

import io
import json
import struct
from typing import Any

import numpy as np
import pyarrow
import pytest

PATH = "/v2/models/churn/infer"


def tensors(churn: Any, rows: int = 20) -> list[dict[str, Any]]:
    frame = churn.raw(rows, seed=6)
    kinds = {"number": "FP64", "category": "BYTES", "boolean": "BOOL"}
    plain = frame.astype(object).where(frame.notna(), None)
    return [
        {"name": f.name, "datatype": kinds[f.type], "shape": [rows, 1], "data": plain[f.name].tolist()}
        for f in churn.FEATURES
    ]


def expected(churn: Any, rows: int = 20) -> Any:
    return churn.fitted("logistic").predict_proba(churn.table(churn.raw(rows, seed=6)))


def binary(array: Any) -> bytes:
    if array.dtype != object:
        return bytes(array.tobytes())
    texts = [text.encode() if isinstance(text, str) else b"" for text in array]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


def test_tensors_get_the_answers_of_rows(churn: Any, logistic: Any) -> None:
    answer = logistic.ask(PATH, json={"id": "7", "inputs": tensors(churn)}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("churn", "churn-1", "7")
    label, probabilities = answer["outputs"]
    assert (label["datatype"], label["shape"]) == ("BYTES", [20])
    found = np.array(probabilities["data"]).reshape(probabilities["shape"])
    np.testing.assert_array_equal(found, expected(churn))


def test_the_binary_extension_carries_the_same_numbers(churn: Any, logistic: Any) -> None:
    frame = churn.raw(20, seed=6)
    described, parts = [], []
    for feature in churn.FEATURES:
        column = frame[feature.name].to_numpy()
        raw = binary(column)
        kind = {"f": "FP64", "b": "BOOL", "O": "BYTES"}[column.dtype.kind]
        length = {"binary_data_size": len(raw)}
        described.append({"name": feature.name, "datatype": kind, "shape": [20], "parameters": length})
        parts.append(raw)
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": described, "outputs": wanted}).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}
    answer = logistic.ask(PATH, content=b"".join([head, *parts]), headers=headers)
    assert answer.status_code == 200, answer.text
    size = int(answer.headers["inference-header-content-length"])
    found = np.frombuffer(answer.content[size:]).reshape(20, 2)
    known = ~frame["plan"].isna().to_numpy()  # a null text has no form in binary
    np.testing.assert_array_equal(found[known], expected(churn)[known])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v2", 200, id="the server"),
        pytest.param("/v2/health/live", 200, id="live"),
        pytest.param("/v2/health/ready", 200, id="ready"),
        pytest.param("/v2/models/churn", 200, id="the model"),
        pytest.param("/v2/models/churn/versions/churn-1/ready", 200, id="the version"),
        pytest.param("/v2/models/churn/versions/churn-2", 404, id="another version"),
        pytest.param("/v2/models/fraud/ready", 404, id="another model"),
    ],
)
def test_what_is_here_is_described_and_what_is_not_says_so(logistic: Any, path: str, status: int) -> None:
    answer = logistic.get(path)
    assert answer.status_code == status
    assert ("error" in answer.json()) is (status == 404)


AGE = {"name": "age", "datatype": "FP64", "shape": [1], "data": [3]}
BAD = [
    pytest.param({}, 400, id="no inputs"),
    pytest.param({"inputs": [3]}, 400, id="an input that is no tensor"),
    pytest.param({"inputs": [{**AGE, "shape": [2]}]}, 400, id="a shape that the data does not have"),
    pytest.param({"inputs": [{**AGE, "datatype": "FP128"}]}, 400, id="a datatype that is not known"),
    pytest.param({"inputs": [{**AGE, "data": ["x"]}]}, 400, id="a word in a tensor of numbers"),
    pytest.param({"inputs": [{**AGE, "data": [[1], [2, [3]]]}]}, 400, id="data nested unevenly"),
    pytest.param({"inputs": [{**AGE, "shape": [1, 2], "data": [1, 2]}]}, 422, id="two values for one row"),
    pytest.param({"inputs": [{**AGE, "datatype": "BYTES", "data": ["x"]}]}, 422, id="strings for a number"),
    pytest.param({"inputs": [AGE], "outputs": [{"name": "embedding"}]}, 400, id="an output that isn't there"),
    pytest.param(
        {"inputs": [{**AGE, "parameters": {"binary_data_size": 8}}]}, 400, id="binary data that isn't there"
    ),
]


@pytest.mark.parametrize(("message", "status"), BAD)
def test_a_bad_tensor_is_the_clients_mistake(logistic: Any, message: Any, status: int) -> None:
    answer = logistic.ask(PATH, json=message)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == answer.json()["detail"]


def test_an_arrow_stream_gets_the_answers_of_rows(churn: Any, logistic: Any) -> None:
    table = pyarrow.Table.from_pandas(churn.raw(20, seed=6).assign(x=1), preserve_index=False)
    sink = io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    headers = {"content-type": "application/vnd.apache.arrow.stream"}
    answer = logistic.ask(content=sink.getvalue(), headers=headers)
    assert answer.status_code == 200, answer.text
    found = [list(one["probabilities"].values()) for one in answer.json()["predictions"]]
    np.testing.assert_array_equal(found, expected(churn))
    assert answer.json()["ignored"] == ["x"]


def saved(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "content", "status"),
    [
        pytest.param("application/x-npy", b"\x93NUMPY", 400, id="half a numpy file"),
        pytest.param(
            "application/x-npy", saved(np.array([{}], dtype=object)), 400, id="a pickled numpy file"
        ),
        pytest.param("application/x-npy", saved(np.zeros((1, 5))), 422, id="a matrix for a model with texts"),
        pytest.param("application/vnd.apache.arrow.stream", b"nope", 400, id="no Arrow stream"),
    ],
)
def test_files_that_cannot_be_read_are_refused(logistic: Any, kind: str, content: bytes, status: int) -> None:
    answer = logistic.ask(content=content, headers={"content-type": kind})
    assert answer.status_code == status, answer.text


def test_a_client_of_triton_is_served(churn: Any, logistic: Any) -> None:
    http = pytest.importorskip("tritonclient.http")
    client = http.InferenceServerClient(logistic.url.removeprefix("http://"))
    assert client.is_server_ready()
    assert client.is_model_ready("churn")
    frame = churn.raw(20, seed=6)
    age = http.InferInput("age", [20, 1], "FP64")
    age.set_data_from_numpy(frame[["age"]].to_numpy())
    plan = http.InferInput("plan", [20, 1], "BYTES")
    plan.set_data_from_numpy(frame[["plan"]].fillna("").to_numpy().astype(object))
    answer = client.infer("churn", [age, plan])
    assert answer.as_numpy("probabilities").shape == (20, 2)
    assert set(answer.as_numpy("label")) <= {b"leaves", b"stays"}
    with pytest.raises(Exception, match="not served here"):
        client.infer("fraud", [age])
    client.close()
