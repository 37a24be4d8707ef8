"""Artifacts that no predictor may open, each a folder with a manifest and the right digests."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import skops.io
from onnx import TensorProto, helper

from assay_artifact import Feature, Manifest, write

MARK = "/tmp/it-ran"


class Hostile(NamedTuple):
    """A folder, its digest, and the word that the version's condition must say."""

    folder: Path
    digest: str
    reason: str


class Evil:
    """What a pickle can do to its reader."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        """Leave a mark."""
        return os.mkdir, (MARK,)


def pickle() -> bytes:
    buffer = io.BytesIO()
    joblib.dump(Evil(), buffer)
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b"0" * (100 << 20))
    return buffer.getvalue()


def unlisted() -> bytes:
    content: bytes = skops.io.dumps(os.getcwd)
    return content


def outside() -> bytes:
    """A graph whose weights are in a file of the machine."""
    weights = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[1, 2], data_location=TensorProto.EXTERNAL
    )
    for key, value in {"location": "/etc/passwd", "offset": "0", "length": "8"}.items():
        weights.external_data.add(key=key, value=value)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weights])
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return content


TABLE: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "hostile-pickle": (pickle, "joblib", "PickleRefused"),
    "hostile-disguise": (pickle, "skops", "Unreadable"),
    "hostile-bomb": (bomb, "skops", "ZipBomb"),
    "hostile-type": (unlisted, "skops", "UntrustedType"),
    "hostile-path": (outside, "onnx", "ExternalData"),
}


def hostile(folder: Path) -> dict[str, Hostile]:
    """Write all of them below `folder`."""
    made = {}
    for name, (content, form, reason) in TABLE.items():
        there = write((folder / name).as_uri(), {"model": content()}, manifest(form))
        made[name] = Hostile(Path(there.uri.removeprefix("file://")), there.digest, reason)
    return made


def manifest(form: Any) -> Manifest:
    return Manifest(
        model="hostile",
        version="hostile",
        task="Classification",
        format=form,
        file="model",
        features=(Feature(name="x", type="number"),),
        classes=("a", "b"),
    )
