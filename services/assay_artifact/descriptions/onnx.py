"""ONNX: features are the graph's inputs, and classes its labels.

`feature_names` and `classes` in the graph's metadata, as lists in JSON, go before.
"""

import json
from pathlib import Path
from typing import Any

from assay_artifact.manifest import Feature, FeatureType, Label
from assay_artifact.onnx_proto import graph
from assay_artifact.onnx_proto.signature import Signature, Value
from assay_artifact.single_file import Description, numbers, undescribed

TYPES: dict[str, FeatureType] = {
    "float": "number",
    "double": "number",
    "int64": "number",
    "bool": "boolean",
    "string": "category",
}
HAVE_NULL = {"float", "double", "string"}
MATRIX = 2


def describe(path: Path) -> Description:
    """Read inputs, outputs and labels, once the graph is known to name no other file.

    Raises:
        ArtifactError: ExternalData, or Undescribed.
    """
    content = path.read_bytes()
    graph.check(content, path.name)
    signature = Signature(content)
    if not signature.inputs or not signature.outputs:
        raise undescribed(f"{path.name} has {len(signature.inputs)} inputs, {len(signature.outputs)} outputs")
    features = _features(signature)
    if classes := _classes(signature):
        return Description("Classification", features, classes)
    _must_be_one_number(signature)
    return Description("Regression", features)


def _features(signature: Signature) -> tuple[Feature, ...]:
    names, inputs = _metadata_list(signature, "feature_names"), signature.inputs
    if len(inputs) == 1 and inputs[0].kind != "string" and _width(inputs[0]) != 1:
        found = numbers(_width(inputs[0]))
        if not names:
            return _typed(found, inputs[0].kind)
        if len(names) != len(found):
            raise undescribed(f"feature_names are {len(names)}, the input has {len(found)} columns")
        return _typed(tuple(Feature(name=str(name), type="number") for name in names), inputs[0].kind)
    if wide := [value.name for value in inputs if _width(value) != 1]:
        raise undescribed(f"inputs {wide} have more than one column, and there are others or texts")
    return tuple(feature for value in inputs for feature in _typed(numbers(1), value.kind, value.name))


def _typed(features: tuple[Feature, ...], kind: str, name: str = "") -> tuple[Feature, ...]:
    if kind not in TYPES:
        raise undescribed(f"an input of {kind or 'no tensor'} can't be fed; it may be of {', '.join(TYPES)}")
    return tuple(
        Feature(name=name or feature.name, type=TYPES[kind], nullable=kind in HAVE_NULL)
        for feature in features
    )


def _width(value: Value) -> int:
    columns = value.shape[1] if len(value.shape) == MATRIX else None
    if columns is None:
        raise undescribed(
            f"input {value.name!r} has shape {list(value.shape)}, not [rows, a number of columns]"
        )
    return columns


def _classes(signature: Signature) -> tuple[Label, ...]:
    first, last = signature.outputs[0], signature.outputs[-1]
    found: tuple[Label, ...] = tuple(_metadata_list(signature, "classes")) or signature.labels()
    if not found and len(signature.outputs) > 1:
        raise undescribed(f"the classes behind output {first.name!r} can't be found")
    if found and last.kind not in ("float", "double", ""):
        raise undescribed(f"the last output, {last.name!r}, is of {last.kind}: no probabilities")
    if found and len(last.shape) == MATRIX and last.shape[1] not in (None, len(found)):
        raise undescribed(f"{len(found)} classes, but the last output has {last.shape[1]} columns")
    return tuple(bool(label) for label in found) if first.kind == "bool" else found


def _must_be_one_number(signature: Signature) -> None:
    value = signature.outputs[0]
    one = len(value.shape) == 1 or (len(value.shape) == MATRIX and value.shape[1] == 1)
    if value.kind not in ("float", "double") or not one:
        raise undescribed(
            f"output {value.name!r} of {value.kind or 'no tensor'} {list(value.shape)} is neither a label "
            "with probabilities nor one number for each row"
        )


def _metadata_list(signature: Signature, name: str) -> list[Any]:
    try:
        found = json.loads(signature.metadata.get(name, "[]"))
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise undescribed(f"{name} in the metadata is no list in JSON")
    return found
