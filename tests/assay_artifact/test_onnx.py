"""Graphs: no code in them, but they may name files, and their inputs must be the manifest's features."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from skl2onnx import to_onnx

from assay_artifact import ArtifactError, Predictor, fetch, load, write


def loaded(folder: Path, content: bytes, manifest: Any) -> Predictor:
    changed = manifest.model_copy(update={"format": "onnx", "file": "model.onnx"})
    there = write((folder / "store").as_uri(), {"model.onnx": content}, changed)
    return load(folder / "copy", fetch(there.uri, there.digest, folder / "copy"))


def graph(weights: TensorProto, names: tuple[str, ...] = ("x",), width: int = 2) -> bytes:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width]) for name in names]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
    node = helper.make_node("MatMul", [names[0], "w"], ["y"])
    made = helper.make_graph([node], "g", inputs, [output], [weights])
    content: bytes = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return content


def inside() -> TensorProto:
    return helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [0.5, 0.5, 0.25, 0.75])


def outside(location: str) -> TensorProto:
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[2, 2], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": location, "offset": "0", "length": "16"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_a_matrix_of_numbers_gets_the_pipelines_answers_in_single_precision(
    churn: Any, tmp_path: Path
) -> None:
    pipeline = churn.fitted("numbers")
    content = to_onnx(pipeline, np.zeros((1, 2), np.float32), options={id(pipeline): {"zipmap": False}})
    predictor = loaded(tmp_path, content.SerializeToString(), churn.manifest("numbers"))
    frame = churn.raw()[["age", "spend"]].fillna(0)
    answer = predictor.predict(frame)
    np.testing.assert_allclose(np.asarray(answer.probabilities), pipeline.predict_proba(frame), atol=1e-5)
    assert np.asarray(answer.labels).tolist() == list(pipeline.predict(frame))


@pytest.mark.parametrize("location", ["/etc/passwd", "secret.bin", "../secret.bin", "/proc/self/environ"])
def test_weights_in_another_file_are_not_read(
    churn: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    for folder in (tmp_path, tmp_path / "work"):
        folder.mkdir(exist_ok=True)
        (folder / "secret.bin").write_bytes(bytes(16))
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(ArtifactError, match=r"ExternalData: .*tensor 'w' is in another"):
        loaded(tmp_path, graph(outside(location)), churn.manifest("numbers"))


def hidden(place: str) -> bytes:
    """A graph that keeps its external tensor where few would look."""
    tensor, model = outside("/etc/passwd"), helper.make_model(helper.make_graph([], "g", [], []))
    if place == "a node's attribute":
        model.graph.node.append(helper.make_node("Constant", [], ["w"], value=tensor))
    elif place == "a branch":
        branch = helper.make_graph([], "b", [], [], [tensor])
        model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch))
    elif place == "a function":
        node = helper.make_node("Constant", [], ["w"], value=tensor)
        opset = [helper.make_opsetid("", 13)]
        model.functions.append(helper.make_function("local", "F", [], ["w"], [node], opset))
    elif place == "a sparse tensor":
        indices = helper.make_tensor("i", TensorProto.INT64, [1], [0])
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(tensor, indices, [4]))
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("place", ["a node's attribute", "a branch", "a function", "a sparse tensor"])
def test_a_path_is_found_wherever_it_is(churn: Any, tmp_path: Path, place: str) -> None:
    with pytest.raises(ArtifactError, match="ExternalData"):
        loaded(tmp_path, hidden(place), churn.manifest("numbers"))


def test_the_words_of_a_path_are_no_path(churn: Any, tmp_path: Path) -> None:
    """A text that looks like the entry is not one."""
    pipeline = churn.fitted("numbers")
    model = to_onnx(pipeline, np.zeros((1, 2), np.float32), options={id(pipeline): {"zipmap": False}})
    model.doc_string = "\n\x08location"
    assert (
        loaded(tmp_path, model.SerializeToString(), churn.manifest("numbers"))
        .predict({"age": [1.0], "spend": [2.0]})
        .probabilities
        is not None
    )


@pytest.fixture(scope="module")
def numbers(churn: Any, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    pipeline = churn.fitted("numbers")
    content = to_onnx(pipeline, np.zeros((1, 2), np.float32), options={id(pipeline): {"zipmap": False}})
    return loaded(tmp_path_factory.mktemp("onnx"), content.SerializeToString(), churn.manifest("numbers"))


VALUES = st.floats(-200, 200) | st.integers(-200, 200) | st.booleans()


@settings(deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20))
def test_any_usual_rows_get_the_pipelines_answers_within_the_gates_tolerance(
    churn: Any, numbers: Predictor, rows: list[tuple[float, float]]
) -> None:
    frame = pd.DataFrame([[float(value) for value in row] for row in rows], columns=["age", "spend"])
    answer = numbers.predict(frame)
    expected = churn.fitted("numbers").predict_proba(frame)
    np.testing.assert_allclose(np.asarray(answer.probabilities), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param(1e39, "too large for single precision", id="a number that single precision lacks"),
        pytest.param(-1e300, "too large for single precision", id="and a negative one"),
        pytest.param(None, "no answer", id="a null, for a model that takes none"),
    ],
)
def test_what_single_precision_cannot_answer_is_refused_and_not_made_up(
    numbers: Predictor, value: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        numbers.predict({"age": [33.0, value], "spend": [1.0, 2.0]})


def test_inputs_that_are_not_the_features_are_refused_by_name(churn: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"BadManifest: inputs \['a', 'b'\]"):
        loaded(tmp_path, graph(inside(), names=("a", "b")), churn.manifest("numbers"))


def test_a_graph_that_is_cut_off_is_unreadable(churn: Any, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="Unreadable"):
        loaded(tmp_path, graph(inside())[:-9], churn.manifest("numbers"))
