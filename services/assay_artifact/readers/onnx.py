"""ONNX: no code in the file, float32 arithmetic, the fastest.

A graph has either one input of shape (rows, features), when all features are numeric, or one input of shape
(rows, 1) for each feature, named like it. A null text is the empty string, a null number NaN. The last output
holds the probabilities, or a regression's values. A ZipMap makes it a map for each row: right, but slow.
"""

from collections.abc import Callable
from os import environ
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import Manifest
from assay_artifact.onnx_proto import graph
from assay_artifact.prediction import Decision, Prediction, Predictor
from assay_artifact.table import NUMERIC, Columns, Floats, Table, from_columns

onnxruntime.set_default_logger_severity(3)
Feed = Callable[[Table], dict[str, Any]]
TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


class OnnxPredictor:
    """An inference session with one thread, unless told otherwise."""

    def __init__(self, session: onnxruntime.InferenceSession, manifest: Manifest) -> None:
        """Match the session's inputs with the manifest's features."""
        self.session, self.manifest = session, manifest
        self.decision = Decision(manifest)
        self.feed = _feed(session, manifest)
        output = session.get_outputs()[-1]
        self.output, self.mapped = [output.name], output.type.startswith("seq(map(")

    def predict(self, rows: Table | Columns) -> Prediction:
        """Answer raw rows."""
        table = rows if isinstance(rows, Table) else from_columns(rows, self.manifest.features)
        (answer,) = self.session.run(self.output, self.feed(table))
        if self.mapped:
            answer = [[row[label] for label in self.manifest.classes or ()] for row in answer]
        if not np.isfinite(answer).all() and np.isnan(table.numbers).any():
            raise ValueError("Input contains a null, for which the model has no answer")
        if self.manifest.task == "Regression":
            return Prediction(None, None, np.asarray(answer, dtype=np.float64).reshape(-1))
        return self.decision(np.asarray(answer, dtype=np.float64))


def read(path: Path, manifest: Manifest) -> Predictor:
    """Read the graph, once it is known to name no other file.

    Raises:
        ArtifactError: ExternalData, or the graph's inputs or outputs don't fit the manifest (BadManifest).
    """
    content = path.read_bytes()
    graph.check(content, path.name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = int(environ.get("ASSAY_MODEL_THREADS", "1"))
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    output = session.get_outputs()[-1]
    if not output.type.startswith(("tensor(", "seq(map(")):
        raise ArtifactError("BadManifest", f"output {output.name!r} is {output.type}, no probabilities")
    return OnnxPredictor(session, manifest)


def _feed(session: onnxruntime.InferenceSession, manifest: Manifest) -> Feed:
    inputs = {node.name: node.type for node in session.get_inputs()}
    if unknown := {name: kind for name, kind in inputs.items() if kind not in TYPES}:
        raise ArtifactError("BadManifest", f"inputs of types that can't be fed: {unknown}")
    if set(inputs) == {feature.name for feature in manifest.features}:
        return _by_name(inputs, manifest)
    if len(inputs) == 1 and all(feature.type in NUMERIC for feature in manifest.features):
        ((name, kind),) = inputs.items()
        return lambda table: {name: _narrowed(table.numbers, TYPES[kind])}
    raise ArtifactError(
        "BadManifest", f"inputs {sorted(inputs)}; expected one for each feature, or one numeric matrix"
    )


def _by_name(inputs: dict[str, str], manifest: Manifest) -> Feed:
    def feed(table: Table) -> dict[str, Any]:
        numbers, texts = iter(table.numbers.T), iter(table.texts)
        fed: dict[str, Any] = {}
        for feature in manifest.features:
            if feature.type in NUMERIC:
                fed[feature.name] = _narrowed(next(numbers), TYPES[inputs[feature.name]]).reshape(-1, 1)
            else:
                filled = [text if isinstance(text, str) else "" for text in next(texts)]
                fed[feature.name] = np.array(filled, dtype=object).reshape(-1, 1)
        return fed

    return feed


def _narrowed(numbers: Floats, kind: type[np.generic]) -> NDArray[Any]:
    """Return numbers as the graph wants them.

    Raises:
        ValueError: One is too large for that.
    """
    with np.errstate(over="ignore"):
        narrow = numbers.astype(kind)
    if kind is np.float32 and np.isinf(narrow).any():
        raise ValueError("Input contains a value too large for single precision")
    return narrow
