"""The tensors of the Open Inference Protocol (V2), in JSON or with the binary extension.

A request has either one tensor for each feature, named like it, of shape (rows) or (rows, 1), or a single
matrix of shape (rows, features) where all features are numeric.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from assay_artifact import Feature, Manifest, Prediction
from assay_serving.codec.formats import from_matrix
from assay_serving.problems import Problem

DTYPES = {
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
BYTES = "BYTES"
LENGTH = struct.Struct("<I")
Message = dict[str, Any]


def message(body: bytes, header: str | None) -> tuple[Message, memoryview]:
    """Split a body into its JSON part and its binary part; `header` is the declared length of the first."""
    if header is not None and (not header.isdecimal() or int(header) > len(body)):
        raise Problem(400, "bad-header", f"Inference-Header-Content-Length {header!r} for {len(body)} bytes")
    size = len(body) if header is None else int(header)
    try:
        parsed = orjson.loads(body[:size])
    except orjson.JSONDecodeError as error:
        raise Problem(400, "bad-json", f"the body is no JSON: {error}") from None
    if not isinstance(parsed, dict) or not isinstance(parsed.get("inputs"), list) or not parsed["inputs"]:
        raise Problem(400, "bad-shape", 'expected an object with a list of "inputs"')
    return parsed, memoryview(body)[size:]


def columns(parsed: Message, binary: memoryview, features: Sequence[Feature]) -> Mapping[str, Any]:
    """Return the inputs as columns.

    Raises:
        Problem: 400 for a malformed tensor, 422 for one of a wrong shape.
    """
    tensors, start = {}, 0
    for tensor in parsed["inputs"]:
        try:
            size = (tensor.get("parameters") or {}).get("binary_data_size")
            tensors[tensor["name"]] = _array(tensor, None if size is None else binary[start : start + size])
            start += size or 0
        except (AttributeError, KeyError, TypeError, ValueError, struct.error, OverflowError) as error:
            name = tensor.get("name") if isinstance(tensor, dict) else None
            raise Problem(400, "bad-tensor", f"input {name!r}: {type(error).__name__}: {error}") from None
    names = {feature.name for feature in features}
    if len(tensors) == 1 and tensors.keys().isdisjoint(names):
        return from_matrix(next(iter(tensors.values())), features)
    return {name: _column(name, array) for name, array in tensors.items()}


def outputs(parsed: Message, prediction: Prediction, manifest: Manifest) -> tuple[list[Message], list[bytes]]:
    """Return the outputs that were asked for, and the binary parts of those that are wanted in binary."""
    named = {name: array for name, array in _named(prediction, manifest).items() if array is not None}
    everything = bool((parsed.get("parameters") or {}).get("binary_data_output"))
    described, parts = [], []
    for wanted in parsed.get("outputs") or [{"name": name} for name in named]:
        name = wanted.get("name") if isinstance(wanted, dict) else None
        if name not in named:
            raise Problem(400, "unknown-output", f"there is no output {name!r}; there are {sorted(named)}")
        tensor, raw = _tensor(name, named[name])
        if (wanted.get("parameters") or {}).get("binary_data", everything):
            parts.append(raw)
            tensor["parameters"] = {"binary_data_size": len(raw)}
        else:
            tensor["data"] = named[name].ravel().tolist()
        described.append(tensor)
    return described, parts


def metadata(manifest: Manifest) -> tuple[list[Message], list[Message]]:
    """Return the descriptions of inputs and outputs."""
    kinds = {"number": "FP64", "boolean": "BOOL", "category": BYTES, "text": BYTES, "date": "FP64"}
    inputs = [{"name": f.name, "datatype": kinds[f.type], "shape": [-1, 1]} for f in manifest.features]
    if manifest.task == "Regression":
        return inputs, [{"name": "value", "datatype": "FP64", "shape": [-1]}]
    classes = manifest.classes or ()
    label = {"name": "label", "datatype": _label_type(classes), "shape": [-1]}
    return inputs, [label, {"name": "probabilities", "datatype": "FP64", "shape": [-1, len(classes)]}]


def _array(tensor: Message, raw: memoryview | None) -> Any:
    shape, kind = tensor["shape"], tensor["datatype"]
    if kind != BYTES and kind not in DTYPES:
        raise ValueError(f"datatype {kind!r} is not known")
    if raw is None:
        return np.array(_flat(tensor["data"]), dtype=object if kind == BYTES else DTYPES[kind]).reshape(shape)
    if kind == BYTES:
        return np.array(_strings(raw), dtype=object).reshape(shape)
    return np.frombuffer(raw, dtype=DTYPES[kind]).reshape(shape)


def _flat(data: Any) -> list[Any]:
    """Data may be nested like its shape, or flat."""
    if not isinstance(data, list):
        raise TypeError("data is no list")
    flat: list[Any] = data
    while flat and all(isinstance(item, list) for item in flat):
        flat = [value for item in flat for value in item]
    if any(isinstance(value, list | dict) for value in flat):
        raise TypeError("data is nested unevenly")
    return flat


def _strings(raw: memoryview) -> list[str]:
    found, at = [], 0
    while at < len(raw):
        (size,) = LENGTH.unpack_from(raw, at)
        at += LENGTH.size
        if at + size > len(raw):
            raise ValueError("a string is longer than its tensor")
        found.append(bytes(raw[at : at + size]).decode())
        at += size
    return found


def _column(name: str, array: Any) -> Any:
    if array.size != len(array):
        raise Problem(422, "bad-shape", f"input {name!r} has shape {list(array.shape)}, expected (rows, 1)")
    return array.reshape(-1)


def _named(prediction: Prediction, manifest: Manifest) -> dict[str, Any]:
    if manifest.task == "Regression":
        return {"value": prediction.values}
    return {"label": prediction.labels, "probabilities": prediction.probabilities}


def _tensor(name: str, array: Any) -> tuple[Message, bytes]:
    if name != "label":
        contiguous = np.ascontiguousarray(array, dtype=np.float64)
        return {"name": name, "datatype": "FP64", "shape": list(array.shape)}, contiguous.tobytes()
    kind = _label_type(array.tolist())
    described = {"name": name, "datatype": kind, "shape": list(array.shape)}
    if kind != BYTES:
        return described, array.astype(DTYPES[kind]).tobytes()
    texts = [str(label).encode() for label in array]
    return described, b"".join(LENGTH.pack(len(text)) + text for text in texts)


def _label_type(labels: Sequence[Any]) -> str:
    for kind, name in ((bool, "BOOL"), (int, "INT64"), (float, "FP64")):
        if labels and all(type(label) is kind for label in labels):
            return name
    return BYTES
