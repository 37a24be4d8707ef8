"""An answer that cannot be true is a failure of the model, and no answer; the graphs answer what they get."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from assay_artifact import Feature, Manifest, Prediction, Written, write
from assay_serving.inference.output_checks import FEW, check_shape, check_values
from assay_serving.problems import Problem

LABELS = np.array(["no"] * 20, dtype=object)
NAN, INFINITE = float("nan"), float("inf")

BAD_SHARES = [
    pytest.param([0.5, 0.6], id="more than one"),
    pytest.param([0.4, 0.4], id="less than one"),
    pytest.param([1.2, -0.2], id="beyond one"),
    pytest.param([NAN, 0.5], id="a NaN first"),
    pytest.param([0.5, NAN], id="a NaN last"),
    pytest.param([INFINITE, -INFINITE], id="infinities"),
    pytest.param([0.0, 0.0], id="nothing"),
]
GOOD_SHARES = [
    pytest.param([0.3, 0.7], id="as they should be"),
    pytest.param([0.0, 1.0], id="sure"),
    pytest.param([0.3333, 0.6665], id="rounded"),
    pytest.param([1.0000001, -1e-7], id="float32"),
]
COUNTS = [1, FEW, FEW + 1, 20]


def shares(odd: list[float], rows: int, at: int) -> Prediction:
    probabilities = np.full((rows, 2), 0.5)
    probabilities[at] = odd
    return Prediction(LABELS[:rows], probabilities, None)


@pytest.mark.parametrize("rows", COUNTS)
@pytest.mark.parametrize("odd", BAD_SHARES)
def test_probabilities_that_are_none_are_a_failure_that_names_the_row(odd: list[float], rows: int) -> None:
    with pytest.raises(Problem) as caught:
        check_values(shares(odd, rows, rows - 1))
    assert (caught.value.status, caught.value.where) == (500, {"row": rows - 1})


@pytest.mark.parametrize("rows", COUNTS)
@pytest.mark.parametrize("odd", GOOD_SHARES)
def test_probabilities_within_rounding_are_an_answer(odd: list[float], rows: int) -> None:
    check_values(shares(odd, rows, 0))


@pytest.mark.parametrize("rows", COUNTS)
@pytest.mark.parametrize("odd", [NAN, INFINITE, -INFINITE])
def test_a_value_that_is_no_number_is_a_failure(odd: float, rows: int) -> None:
    with pytest.raises(Problem):
        check_values(Prediction(None, None, np.array([1.0] * (rows - 1) + [odd])))
    check_values(Prediction(None, None, np.arange(rows, dtype=float)))


BAD_SHAPES = [
    pytest.param(Prediction(LABELS[:2], None, None), id="too few labels"),
    pytest.param(Prediction(LABELS[:4], np.full((4, 2), 0.5), None), id="too many"),
    pytest.param(Prediction(LABELS[:3], np.full((2, 2), 0.5), None), id="labels without probabilities"),
    pytest.param(Prediction(LABELS[:3], np.full((3, 1), 1.0), None), id="a class without probability"),
    pytest.param(Prediction(LABELS[:3], np.full(3, 0.5), None), id="one probability a row"),
    pytest.param(Prediction(None, None, np.zeros(1)), id="one value for all"),
    pytest.param(Prediction(None, None, None), id="nothing"),
]


@pytest.mark.parametrize("prediction", BAD_SHAPES)
def test_answers_that_belong_to_no_row_are_a_failure(prediction: Prediction) -> None:
    with pytest.raises(Problem) as caught:
        check_shape(prediction, 3, 2)
    assert caught.value.status == 500


def written(folder: Path, nodes: list[Any], width: int, classes: tuple[str, ...] | None) -> Written:
    """Write a graph from `x` to `y` as an artifact."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, width])
    ends = [helper.make_tensor(name, TensorProto.INT64, [1], [at]) for at, name in enumerate(("zero", "one"))]
    graph = helper.make_graph(nodes, "g", [x], [y], ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    manifest = Manifest(
        model="churn",
        version="churn-1",
        task="Classification" if classes else "Regression",
        format="onnx",
        file="model.onnx",
        features=tuple(Feature(name=name, type="number") for name in ("a", "b")),
        classes=classes,
    )
    return write((folder / "store").as_uri(), {"model.onnx": model.SerializeToString()}, manifest)


CLASSES = ("no", "yes")
ECHO = [helper.make_node("Identity", ["x"], ["y"])]  # the probabilities are what was sent
FIRST = [helper.make_node("Slice", ["x", "zero", "one"], ["y"])]  # the first row's for all
ROOT = [
    helper.make_node("Slice", ["x", "zero", "one", "one"], ["a"]),
    helper.make_node("Sqrt", ["a"], ["y"]),
]

Serve = Callable[..., Any]


@pytest.fixture
def serve(serve_artifact: Callable[[Written, Path], Any], tmp_path: Path) -> Serve:
    return lambda nodes, width, classes=None: serve_artifact(
        written(tmp_path, nodes, width, classes), tmp_path
    )


def rows(*pairs: tuple[float, float]) -> dict[str, Any]:
    return {"rows": [{"a": a, "b": b} for a, b in pairs]}


def test_an_answer_that_cannot_be_true_is_a_500_that_says_why(serve: Serve) -> None:
    server = serve(ECHO, 2, CLASSES)
    good, bad = server.ask(json=rows((0.2, 0.8))), server.ask(json=rows((0.2, 0.8), (0.9, 0.9)))
    assert good.status_code == 200
    assert good.json()["predictions"][0]["label"] == "yes"
    assert (bad.status_code, bad.json()["type"], bad.json()["row"]) == (500, "urn:assay:bad-prediction", 1)
    assert "add up to 1.8" in bad.json()["detail"]
    tensor = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [0.9, 0.9]}
    assert server.ask("/v2/models/churn/infer", json={"inputs": [tensor]}).status_code == 500
    labels = 'model="churn",namespace="demo",route="/predict",status="500",version="churn-1"'
    assert f"assay_predictions_total{{{labels}}} 1.0" in server.get("/metrics").text
    assert "add up to 1.8" in server.log.read_text()


def test_a_value_that_is_no_number_is_a_500(serve: Serve) -> None:
    server = serve(ROOT, 1)
    assert server.ask(json=rows((4, 0))).json()["predictions"] == [{"value": 2.0}]
    assert server.ask(json=rows((-4, 0))).status_code == 500


def test_one_answer_for_several_rows_is_a_500_and_no_neighbours(serve: Serve) -> None:
    server = serve(FIRST, 2, CLASSES)
    assert server.ask(json=rows((0.2, 0.8))).status_code == 200
    answer = server.ask(json=rows((0.2, 0.8), (0.7, 0.3)))
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:assay:bad-prediction")


def test_a_bad_row_costs_its_own_caller_only(serve: Serve) -> None:
    """All ask at once, so some share a call of the model."""
    server = serve(ECHO, 2, CLASSES)

    async def ask(number: int) -> int:
        sent = rows((0.9, 0.9)) if number % 4 == 0 else rows((0.2, 0.8))
        return int((await asyncio.to_thread(server.ask, json=sent)).status_code)

    async def together() -> list[int]:
        return await asyncio.gather(*map(ask, range(40)))

    assert asyncio.run(together()) == [500 if number % 4 == 0 else 200 for number in range(40)]
