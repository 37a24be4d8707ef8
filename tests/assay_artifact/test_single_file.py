"""A lone file is an artifact: verified by its own digest, described by itself, or refused."""

import functools
import hashlib
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import skops.io
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from assay_artifact import ArtifactError, Feature, Manifest, Predictor, fetch, load, read_manifest

RNG = np.random.default_rng(0)
MATRIX = RNG.normal(size=(120, 3)).astype(np.float32)
TEXTS = np.where(MATRIX[:, 0] > 0, "yes", "no")
SIGNS = np.where(MATRIX[:, 0] > 0, 3, -7)
F = tuple(Feature(name=f"f{position}", type="number") for position in range(3))
DATA = Path(__file__).with_name("xgboost.json")


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def fetched(folder: Path, name: str, content: bytes, **said: Any) -> Manifest:
    (folder / name).write_bytes(content)
    return fetch(f"file://{folder}/{name}", digest(content), folder / "copy", **said)


def opened(folder: Path, name: str, content: bytes, *, allow_pickle: bool = False) -> Predictor:
    manifest = fetched(folder, name, content, allow_pickle=allow_pickle)
    return load(folder / "copy", manifest, allow_pickle=allow_pickle)


def columns(rows: Any = MATRIX) -> dict[str, Any]:
    return {f"f{position}": rows[:, position].astype(float) for position in range(rows.shape[1])}


def dumped(estimator: Any) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    return buffer.getvalue()


@functools.cache
def forest() -> Any:
    return RandomForestClassifier(5, max_depth=3, random_state=0).fit(MATRIX, TEXTS)


def onnx(model: Any, *, zipmap: bool) -> bytes:
    content: bytes = to_onnx(model, MATRIX[:1], options={id(model): {"zipmap": zipmap}}).SerializeToString()
    return content


CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "linear": LogisticRegression,
    "forest": lambda: RandomForestClassifier(5, max_depth=3, random_state=0),
    "network, whose labels are looked up": lambda: MLPClassifier(4, max_iter=400, tol=1e-2, random_state=0),
    "calibrated": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
}


@pytest.mark.parametrize("zipmap", [False, True], ids=["tensor", "zipmap"])
@pytest.mark.parametrize("target", [TEXTS, SIGNS], ids=["texts", "integers"])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_graph_tells_columns_and_classes_and_answers_as_the_model_did(
    tmp_path: Path, name: str, target: Any, zipmap: Any
) -> None:
    model = CLASSIFIERS[name]().fit(MATRIX, target)
    predictor = opened(tmp_path, "churn-7.onnx", onnx(model, zipmap=zipmap))
    assert predictor.manifest.model == "churn-7"
    assert predictor.manifest.features == F
    assert list(predictor.manifest.classes or ()) == model.classes_.tolist()
    answer = predictor.predict(columns())
    np.testing.assert_allclose(np.asarray(answer.probabilities), model.predict_proba(MATRIX), atol=1e-5)
    assert np.asarray(answer.labels).tolist() == model.predict(MATRIX).tolist()


def test_a_graph_of_a_regression_has_one_number_for_each_row(tmp_path: Path) -> None:
    model = RandomForestRegressor(5, random_state=0).fit(MATRIX, MATRIX[:, 1])
    predictor = opened(tmp_path, "m.onnx", to_onnx(model, MATRIX[:1]).SerializeToString())
    assert predictor.manifest.task == "Regression"
    np.testing.assert_allclose(
        np.asarray(predictor.predict(columns()).values), model.predict(MATRIX), rtol=1e-5
    )


def test_a_graph_with_an_input_for_each_column_names_them(churn: Any, tmp_path: Path) -> None:
    rows = churn.raw()[["plan", "spend"]].dropna()
    encoder = ColumnTransformer(
        [("texts", OneHotEncoder(), ["plan"]), ("numbers", StandardScaler(), ["spend"])]
    )
    model = make_pipeline(encoder, LogisticRegression()).fit(rows, rows["spend"] > 20)
    inputs = [("plan", StringTensorType([None, 1])), ("spend", FloatTensorType([None, 1]))]
    content = to_onnx(model, initial_types=inputs, options={id(model): {"zipmap": False}})
    predictor = opened(tmp_path, "m.onnx", content.SerializeToString())
    assert [(one.name, one.type) for one in predictor.manifest.features] == [
        ("plan", "category"), ("spend", "number"),
    ]  # fmt: skip
    np.testing.assert_allclose(
        np.asarray(predictor.predict(rows).probabilities), model.predict_proba(rows), atol=1e-5
    )


def test_names_and_classes_in_a_graphs_metadata_go_before(tmp_path: Path) -> None:
    content = to_onnx(forest(), MATRIX[:1], options={id(forest()): {"zipmap": False}})
    helper.set_model_props(content, {"feature_names": '["a", "b", "c"]', "classes": '["stays", "leaves"]'})
    manifest = fetched(tmp_path, "m.onnx", content.SerializeToString())
    assert [feature.name for feature in manifest.features] == ["a", "b", "c"]
    assert manifest.classes == ("stays", "leaves")


@pytest.mark.parametrize("name", ["logistic", "boosting", "forest", "ridge", "numbers"])
@pytest.mark.parametrize(
    ("file", "dumps"), [("m.skops", skops.io.dumps), ("m.joblib", dumped), ("m.pkl", dumped)]
)
def test_a_pipeline_tells_its_columns_and_their_types(
    churn: Any, tmp_path: Path, name: str, file: str, dumps: Any
) -> None:
    pipeline = churn.fitted(name)
    predictor = opened(tmp_path, file, dumps(pipeline), allow_pickle=not file.endswith("skops"))
    asked = [(one.name, one.type) for one in predictor.manifest.features]
    boolean = {"active": "number"}
    assert asked == [(one.name, boolean.get(one.name, one.type)) for one in churn.manifest(name).features]
    rows = churn.raw(200, seed=1).fillna({"age": 0} if name == "numbers" else {"age": 1})
    answer, canonical = predictor.predict(rows), churn.table(rows)[[one for one, _ in asked]]
    if name == "ridge":
        np.testing.assert_array_equal(answer.values, pipeline.predict(canonical))
    else:
        np.testing.assert_array_equal(np.asarray(answer.probabilities), pipeline.predict_proba(canonical))


@pytest.mark.parametrize(("file", "dumps"), [("m.skops", skops.io.dumps), ("m.joblib", dumped)])
def test_a_model_that_learned_from_a_matrix_gets_one(tmp_path: Path, file: str, dumps: Any) -> None:
    predictor = opened(tmp_path, file, dumps(forest()), allow_pickle=True)
    assert predictor.manifest.features == F
    answer = predictor.predict(columns())
    np.testing.assert_array_equal(np.asarray(answer.probabilities), forest().predict_proba(MATRIX))
    assert predictor.manifest.classes == ("no", "yes")


def test_columns_that_a_pipeline_drops_are_not_asked_for(churn: Any, tmp_path: Path) -> None:
    rows = churn.raw()
    model = make_pipeline(ColumnTransformer([("n", StandardScaler(), ["spend"])]), Ridge()).fit(
        rows, rows["spend"]
    )
    predictor = opened(tmp_path, "m.skops", skops.io.dumps(model))
    assert [feature.name for feature in predictor.manifest.features] == ["spend"]
    np.testing.assert_array_equal(predictor.predict(rows[["spend"]]).values, model.predict(rows))


def test_columns_that_pass_through_are_numbers(churn: Any, tmp_path: Path) -> None:
    rows = churn.raw()[["plan", "spend"]].dropna()
    encoder = ColumnTransformer([("texts", OneHotEncoder(), ["plan"])], remainder="passthrough")
    model = make_pipeline(encoder, Ridge()).fit(rows, rows["spend"])
    predictor = opened(tmp_path, "m.skops", skops.io.dumps(model))
    types = [(one.name, one.type) for one in predictor.manifest.features]
    assert types == [("plan", "category"), ("spend", "number")]
    np.testing.assert_array_equal(predictor.predict(rows).values, model.predict(rows))


def learner(**changes: Any) -> bytes:
    content = json.loads(DATA.read_bytes())
    content["learner"] |= changes
    return json.dumps(content).encode()


def test_xgboost_tells_its_columns_and_its_objective(tmp_path: Path) -> None:
    manifest = fetched(tmp_path, "m.json", DATA.read_bytes())
    assert (manifest.format, manifest.task, manifest.classes) == ("xgboost", "Classification", (0, 1))
    assert manifest.features == F
    (tmp_path / "m.json").unlink()
    named = learner(feature_names=["a", "b", "c"], feature_types=["float", "int", "i"])
    types = [feature.type for feature in fetched(tmp_path, "m.json", named).features]
    assert types == ["number", "number", "boolean"]


def test_xgboost_answers_as_it_did_where_it_is_installed(tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    labels = (MATRIX[:, 0] > 0).astype(int) + (MATRIX[:, 1] > 0)
    for target, objective in ((labels, "multi:softprob"), (labels > 0, "binary:logistic")):
        model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1, objective=objective).fit(MATRIX, target)
        for ending in ("json", "ubj"):
            folder = tmp_path / f"{objective}-{ending}"
            folder.mkdir()
            content = bytes(model.get_booster().save_raw(ending))
            answer = opened(folder, f"m.{ending}", content).predict(columns())
            np.testing.assert_allclose(
                np.asarray(answer.probabilities), model.predict_proba(MATRIX), rtol=1e-6
            )


def softmax(*, rows: tuple[Any, ...] = (None, 3), kind: int = TensorProto.FLOAT) -> bytes:
    x = helper.make_tensor_value_info("x", kind, rows)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"])], "g", [x], [y])
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return content


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def told(**metadata: str) -> bytes:
    content = to_onnx(forest(), MATRIX[:1], options={id(forest()): {"zipmap": False}})
    helper.set_model_props(content, metadata)
    return bytes(content.SerializeToString())


SILENT: list[Any] = [
    pytest.param("m.onnx", lambda: told(feature_names='["a", "a", "b"]'), "'a'. are listed twice", id="twin"),
    pytest.param("m.onnx", lambda: told(feature_names='["a"]'), "are 1, the input has 3", id="too few names"),
    pytest.param("m.onnx", lambda: told(feature_names="a,b,c"), "no list in JSON", id="names in no list"),
    pytest.param("m.onnx", lambda: told(classes='[["a"], {}]'), "classes", id="classes that are no values"),
    pytest.param("m.onnx", lambda: told(classes='["a"]'), "1 classes, but .* 2 columns", id="few classes"),
    pytest.param("m.onnx", softmax, "'y' of float .* neither a label", id="scores without labels"),
    pytest.param("m.onnx", lambda: softmax(rows=(None, None)), "'x' has shape", id="any number of columns"),
    pytest.param("m.onnx", lambda: softmax(rows=(None, 3, 8, 8)), "'x' has shape", id="pictures"),
    pytest.param("m.onnx", lambda: softmax(kind=TensorProto.FLOAT16), "type 10", id="half precision"),
    pytest.param("m.skops", lambda: skops.io.dumps(KMeans(2)), "neither a classifier", id="clusters"),
    pytest.param(
        "m.pkl",
        lambda: dumped(make_pipeline(FunctionTransformer(np.abs), Ridge()).fit(MATRIX, SIGNS)),
        "what FunctionTransformer takes",
        id="a first step that takes anything",
    ),
    pytest.param("m.json", lambda: b"{}", "no learner", id="JSON of something else"),
    pytest.param(
        "m.json", lambda: learner(objective={"name": "multi:softmax"}), "multi:softmax", id="labels only"
    ),
    pytest.param(
        "m.json",
        lambda: learner(feature_names=["a", "b", "c"], feature_types=["c", "float", "float"]),
        r"\['a'\] are no numbers",
        id="categories by number",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "missing"), SILENT)
def test_what_a_file_does_not_say_is_not_guessed(
    tmp_path: Path, name: str, content: Any, missing: str
) -> None:
    with pytest.raises(ArtifactError, match=rf"Undescribed: .*{missing}.*a folder with a manifest.json can"):
        fetched(tmp_path, name, content(), allow_pickle=True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.onnx", lambda: cut(onnx(forest(), zipmap=False))),
        ("m.skops", lambda: cut(skops.io.dumps(forest()))),
        ("m.joblib", lambda: cut(dumped(forest()))),
        ("m.json", lambda: cut(DATA.read_bytes())),
        ("m.onnx", lambda: b""),
    ],
)
def test_a_truncated_file_is_unreadable(tmp_path: Path, name: str, content: Any) -> None:
    with pytest.raises(ArtifactError, match="Unreadable"):
        fetched(tmp_path, name, content(), allow_pickle=True)


class Evil:
    """What a pickle can do to its reader."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("name", "allow", "reason"),
    [("m.joblib", False, "PickleRefused"), ("m.pkl", False, "PickleRefused"), ("m.skops", True, "Unreadable"),
     ("m.onnx", True, "Unreadable"), ("m.json", True, "Unreadable")],
)  # fmt: skip
def test_a_pickle_does_not_run_whatever_it_calls_itself(
    tmp_path: Path, name: str, allow: Any, reason: str
) -> None:
    with pytest.raises(ArtifactError, match=reason):
        fetched(tmp_path, name, dumped(Evil(tmp_path / "ran")), allow_pickle=allow)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_with_another_digest_does_not_run_even_if_allowed(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(dumped(Evil(tmp_path / "ran")))
    with pytest.raises(ArtifactError, match=rf"DigestMismatch.*expected {digest(b'')}"):
        fetch(f"{tmp_path}/m.pkl", digest(b""), tmp_path / "copy", allow_pickle=True)
    assert not (tmp_path / "ran").exists()


def test_a_skops_file_of_an_unlisted_type_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"UntrustedType.*getcwd"):
        fetched(tmp_path, "m.skops", skops.io.dumps(os.getcwd))


def test_a_zip_bomb_is_not_unpacked(bomb: bytes, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="ZipBomb"):
        fetched(tmp_path, "m.skops", bomb)


def test_weights_in_another_file_are_not_read(tmp_path: Path) -> None:
    weights = TensorProto(name="w", data_type=1, dims=[3, 1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": "/etc/passwd", "offset": "0", "length": "12"}.items():
        weights.external_data.add(key=key, value=value)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    with pytest.raises(ArtifactError, match="ExternalData"):
        fetched(tmp_path, "m.onnx", helper.make_model(graph).SerializeToString())


def test_a_file_larger_than_the_limit_is_not_copied_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assay_artifact.single_file.MAX_ARTIFACT_BYTES", 1 << 20)
    with pytest.raises(ArtifactError, match="TooLarge"):
        fetched(tmp_path, "m.onnx", bytes(5 << 20))
    assert (tmp_path / "copy/model.onnx").stat().st_size == 2 << 20


def test_a_suffix_that_is_not_the_format_asked_for_is_refused_unopened(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"FormatMismatch: a file that ends in .pkl says joblib"):
        fetch("file:///nowhere/m.pkl", digest(b""), tmp_path, form="onnx", allow_pickle=True)


def test_a_folder_that_is_called_like_a_file_ends_with_a_slash(artifact: Any, tmp_path: Path) -> None:
    Path(artifact.uri.removeprefix("file://")).rename(tmp_path / "churn.onnx")
    uri = f"file://{tmp_path}/churn.onnx/"
    assert fetch(uri, artifact.digest, tmp_path / "copy").format == "skops"
    assert read_manifest(uri, artifact.digest).format == "skops"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"ArtifactMissing.*/nowhere/m.onnx"):
        fetch("file:///nowhere/m.onnx", digest(b""), tmp_path)


def test_what_a_file_says_of_itself_can_be_read_alone(tmp_path: Path) -> None:
    content = skops.io.dumps(forest())
    (tmp_path / "m.skops").write_bytes(content)
    assert read_manifest(f"file://{tmp_path}/m.skops", digest(content)).features == F
    assert [path.name for path in tmp_path.iterdir()] == ["m.skops"]
