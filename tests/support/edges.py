"""Every field of a schema at its bounds and one step beyond, one at a time in an otherwise valid object."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import experiment_cases
import model_cases
import specs

from assay_api.crd import render_schema

Path = tuple[str, ...]
_BASES = {
    "training": model_cases.TRAINING,
    "artifact": model_cases.ARTIFACT,
    "image": model_cases.IMAGE,
    "evaluation": model_cases.IMAGE | model_cases.ROWS,
    "rollout": model_cases.IMAGE | {"rollout": {"experiment": model_cases.TEMPLATE}},
}
DURATIONS = (
    "", "0s", "0ms", "1ms", "999ms", "1s", "5s", "1h", "3600001ms", "1h1s", "1d", "25h", "90d", "91d", "1h1d",
    "1 s", "9999d99999h",
)  # fmt: skip
TEXTS = (
    "a", "", "A b", "a\nb", "a\x7f", "a/b", "/a", "5", "errors", "cookie", "x-envoy-a", "sha256:" + "0" * 64,
)  # fmt: skip


def objects(kind: str) -> Iterator[specs.Body]:
    """Yield the objects."""
    schema = render_schema(specs.KINDS[kind])["properties"]["spec"]
    for path, field in _fields(schema, ()):
        for value in _values(field):
            yield specs.body(kind, "m", _changed(_base(kind, path), path, value))


def _base(kind: str, path: Path) -> Any:
    if kind == "Experiment":
        return experiment_cases.USUAL
    part = path[1] if path[0] == "source" and len(path) > 1 else path[0]
    model = _BASES.get(part, model_cases.IMAGE)
    if kind == "Model":
        return model
    return {"modelRef": {"name": "m"}, "number": 1, "source": model, "sourceDigest": "x"}


def _fields(schema: specs.Schema, path: Path) -> Iterator[tuple[Path, specs.Schema]]:
    for name, field in schema.get("properties", {}).items():
        yield (*path, name), field
        yield from _fields(field, (*path, name))
    if "items" in schema:
        yield (*path, "0"), schema["items"]
        yield from _fields(schema["items"], (*path, "0"))
    if "additionalProperties" in schema:
        yield (*path, "key"), schema["additionalProperties"]
        yield from _fields(schema["additionalProperties"], (*path, "key"))


def _changed(base: Any, path: Path, value: Any) -> Any:
    """Return the base with the value at the path; what is missing on the way is made."""
    whole = copy.deepcopy(base)
    holder = whole
    for here, ahead in pairwise(path):
        holder = _step(holder, here, [] if ahead == "0" else {})
    _put(holder, path[-1], value)
    return whole


def _step(holder: Any, key: str, empty: Any) -> Any:
    if isinstance(holder, list):
        if not holder:
            holder.append(empty)
        return holder[0]
    return holder.setdefault(key, empty)


def _put(holder: Any, key: str, value: Any) -> None:
    if not isinstance(holder, list):
        holder[key] = value
    elif holder:
        holder[0] = value
    else:
        holder.append(value)


def _values(field: specs.Schema) -> list[Any]:
    if "enum" in field:
        return [*field["enum"], "another", 1, None]
    kinds = {"integer": _numbers, "number": _numbers, "string": _texts, "array": _lists}
    values = kinds.get(field.get("type", ""))
    return values(field) if values else [None, {}, [], "x", "x" * 65, 1, 0.5, True]


def _numbers(field: specs.Schema) -> list[Any]:
    rules = [rule["rule"].split() for rule in field.get("x-kubernetes-validations", ())]
    ends = {field[end] for end in ("minimum", "maximum") if end in field}
    ends |= {float(rule[-1]) for rule in rules}
    steps = (-1, -1e-6, 0, 1e-6, 1) if field["type"] == "number" else (-1, -1e-6, 0, 1)
    near = [end + step for end in ends for step in steps]
    return [*near, *(int(end) for end in ends), 0, 1, -1, 0.5, 5.0, 9.0000000001, True, "1", None]


def _texts(field: specs.Schema) -> list[Any]:
    if "([0-9]{1,4}d)?" in field.get("pattern", ""):
        return list(DURATIONS)
    most = field["maxLength"]
    return ["a" * most, "a" * (most + 1), "é" * most, *TEXTS, 5, True, None]


def _lists(field: specs.Schema) -> list[Any]:
    one = {"string": "a", "object": {}}.get(field["items"].get("type", ""), 1)
    full = [str(i) for i in range(field["maxItems"])]
    return [[], None, "a", [None], [one], [one] * (field["maxItems"] + 1), full, [*full, "one more"]]
