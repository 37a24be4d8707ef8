"""Random specs: objects that the schemas of the CRDs allow, those that the rules allow too, and broken ones.

`models()` and `experiments()` are valid; `loose()` obeys the schema only, so that any rule may refuse it;
`broken()` has one value in place of another that may be of any type and size.
"""

from __future__ import annotations

import copy
import string
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from assay_api import Experiment, Model, ModelVersion
from assay_api.crd import render_schema

Schema = dict[str, Any]
Body = dict[str, Any]
Strategy = st.SearchStrategy[Any]

KINDS: dict[str, type[BaseModel]] = {"Model": Model, "Experiment": Experiment, "ModelVersion": ModelVersion}
MANY = 3  # items of a list or a map; sizes at the bounds are a matter of the tables
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 50, 100, 0.5, 1.0, 0.0001, 0.999, 1e-12, -0.5, 1e308,
    2**31, 2**53, 2**63 - 1,
    "", "0", "x", "a--b", "A", "true", "0s", "1ms", "91d", "2160h", "99999999999999d", "1h1d",
    "\u0000", "é", "😀" * 70,
    "a\nb", " ", "x" * 5000, [], {}, [None], [1, 2], ["x", "x"], {"x": 1}, {"y": None},
)  # fmt: skip


def models() -> Strategy:
    """Models that the API server accepts."""
    return _valid("Model", _model_spec())


def experiments() -> Strategy:
    """Experiments that the API server accepts."""
    return _valid("Experiment", _experiment_spec())


def versions() -> Strategy:
    """ModelVersions that the API server accepts."""
    return _valid("ModelVersion", _version_spec())


VALID: dict[str, Callable[[], Strategy]] = {
    "Model": models,
    "Experiment": experiments,
    "ModelVersion": versions,
}


def loose(kind: str) -> Strategy:
    """Objects of the kind that the schema allows, if not every rule."""
    return names(kind).flatmap(
        lambda name: _values(_spec_schema(kind), "").map(lambda spec: body(kind, name, spec))
    )


@st.composite
def broken(draw: st.DrawFn, kind: str) -> Body:
    """Return a valid object with one value replaced, removed or added anywhere in its spec."""
    whole: Body = copy.deepcopy(draw(VALID[kind]()))
    places = list(_places(whole["spec"]))
    holder, key = draw(st.sampled_from(places))
    change = draw(st.sampled_from(("replace", "replace", "remove", "add")))
    if change == "replace":
        holder[key] = draw(_like(holder[key]))
    elif change == "remove":
        del holder[key]
    elif isinstance(holder, dict):
        holder[draw(st.sampled_from(("another", "minDuration", "source", "name", "x" * 300)))] = draw(
            _hostile()
        )
    else:
        holder.append(draw(_hostile()))
    return whole


def body(kind: str, name: str, spec: Body) -> Body:
    """Return the object as somebody would apply it."""
    return {"apiVersion": "assay.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def parsed(whole: Body) -> Any:
    """Read an object as the operator does, also one that no API server has seen yet.

    Raises:
        pydantic.ValidationError: A rule or the schema is broken.
    """
    metadata = {"namespace": "n", "uid": "u"} | whole["metadata"]
    return KINDS[whole["kind"]].model_validate(whole | {"metadata": metadata})


def is_valid(whole: Body) -> bool:
    """Tell whether the types take the object."""
    try:
        parsed(whole)
    except ValidationError:
        return False
    return True


def names(kind: str = "Model") -> Strategy:
    """Names that an object of the kind may have."""
    most = {"Model": 40, "ModelVersion": 52, "Experiment": 63}[kind]
    short = st.builds("{}-{}".format, _identifiers(), st.integers(0, 99))
    return short | st.just("a" * most)


def _valid(kind: str, specs: Strategy) -> Strategy:
    return st.builds(lambda name, spec: body(kind, name, spec), names(kind), specs).filter(is_valid)


def _hostile() -> Strategy:
    return st.sampled_from(HOSTILE) | st.floats(-2, 102, width=16) | st.integers(-5, 10**13) | TEXT


def _like(value: Any) -> Strategy:
    """Values beside the one that is there, more often than anything at all: rules are broken by a little."""
    if isinstance(value, bool):
        return st.just(not value) | st.just(not value) | _hostile()
    if isinstance(value, str):
        return _durations() | st.sampled_from(_WORDS) | _identifiers() | _hostile()
    if isinstance(value, (int, float)):
        near = (value - 1, value + 1, -value, value * 10, value / 10, value / 2)
        return st.sampled_from(near) | st.sampled_from(near) | st.floats(0, 1) | _hostile()
    return _hostile()


_WORDS = (
    "errors", "slow", "cookie", "host", "x-envoy-a", "Mean", "Proportion", "SQL", "Events", "Gateway",
    "Decrease", "Increase", "Replace", "Experiment", "Regression", "Shadow", "AA", "Ignore", "Joblib",
    "rmse", "recall",
)  # fmt: skip


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return (holder, key) of every value below `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in [(value, key), *_places(item)]]


@cache
def _spec_schema(kind: str) -> Schema:
    schema: Schema = render_schema(KINDS[kind])["properties"]["spec"]
    return schema


def _values(schema: Schema, path: str) -> Strategy:
    """Return values that the schema allows; `path` is where they are to be."""
    key = (id(schema), path)  # schemas are kept for good
    if key not in _MADE:
        _MADE[key] = _made(schema, path)
    return _MADE[key]


def _made(schema: Schema, path: str) -> Strategy:
    for end, values in _SPECIAL.items():
        if path.endswith(end):
            return values()
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(-9, 9) | LINES
    if "type" not in schema:
        return _scalars()
    return _OF_TYPE[schema["type"]](schema, path)


def _objects(schema: Schema, path: str) -> Strategy:
    if "additionalProperties" in schema:
        inner = _values(schema["additionalProperties"], f"{path}.*")
        return st.dictionaries(_identifiers(), inner, max_size=MANY)
    if "properties" not in schema:
        return st.just({})
    fields = {key: _values(value, f"{path}.{key}") for key, value in schema["properties"].items()}
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {key: value for key, value in fields.items() if key in required},
        optional={key: value for key, value in fields.items() if key not in required},
    )


def _lists(schema: Schema, path: str) -> Strategy:
    least = schema.get("minItems", 0)
    most = min(schema.get("maxItems", MANY), max(MANY, least))
    return st.lists(_values(schema["items"], f"{path}[]"), min_size=least, max_size=most)


def _strings(schema: Schema, _path: str) -> Strategy:
    if schema.get("format") == "date-time":
        return st.just("2026-01-01T00:00:00Z")
    if schema.get("pattern", "").startswith("^([0-9]{1,4}d)?"):
        return _durations()
    most = schema.get("maxLength", 40)
    pattern = schema.get("pattern")
    if pattern and "\\x00" not in pattern:
        body_of = pattern.removeprefix("^").removesuffix("$")
        return st.from_regex(body_of, fullmatch=True).filter(lambda text: len(text) <= most)
    return LINES if pattern or schema.get("minLength") else TEXT


def _integers(schema: Schema, _path: str) -> Strategy:
    low, high = schema.get("minimum", -5), schema.get("maximum", 100)
    few = st.integers(low, min(high, low + 20)) if schema["type"] == "integer" else st.floats(low, high)
    return few | st.sampled_from((low, high))


def _numbers(schema: Schema, _path: str) -> Strategy:
    low, high = schema.get("minimum", -100), schema.get("maximum", 100)
    small = st.floats(max(low, -2), min(high, 2), allow_nan=False)
    return small | st.sampled_from((low, high, 0.05, 0.5, 0.9))


_MADE: dict[tuple[int, str], Strategy] = {}
_OF_TYPE: dict[str, Callable[[Schema, str], Strategy]] = {
    "object": _objects,
    "array": _lists,
    "string": _strings,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda _schema, _path: st.booleans(),
}


def _durations() -> Strategy:
    made = st.builds("{}{}".format, st.integers(0, 99), st.sampled_from(("ms", "s", "m", "h", "d")))
    return made | st.sampled_from(("1s", "1h", "7d", "90d", "91d", "1d1h", "1h30m", "0s", "9999d99999h"))


def _identifiers() -> Strategy:
    return st.text(string.ascii_lowercase, min_size=1, max_size=8)


def _scalars() -> Strategy:
    return st.integers(-9, 9) | st.booleans() | st.floats(-1, 1) | st.text(string.printable[:90], max_size=8)


_SPECIAL: dict[str, Callable[[], Strategy]] = {".uri": lambda: st.just("s3://lake/rows.csv")}
_USUAL_SHARES = st.sampled_from(((50, 50), (90, 10), (40, 30, 30), (1, 99), (10, 20, 30, 40)))


@st.composite
def _designs(draw: st.DrawFn, schema: Schema, sizes: Strategy) -> Body:
    """Return the parts that an Experiment and a template of one share, made to fit each other mostly."""
    properties = schema["properties"]
    weights = draw(sizes)
    made: Body = {
        "arms": [{"name": f"arm-{i}", "weight": weight} for i, weight in enumerate(weights)],
        "metrics": draw(_metrics(properties["metrics"])),
        "ramp": draw(_ramps(100 - weights[0])),
    }
    for key in ("decision", "unit", "layer", "hypothesis"):
        if draw(st.booleans()):
            made[key] = draw(_values(properties[key], f".{key}"))
    return made


@st.composite
def _ramps(draw: st.DrawFn, most: int) -> list[Body]:
    percents = sorted(draw(st.lists(st.integers(1, most), min_size=1, max_size=4)))
    more = st.fixed_dictionaries(
        {},
        optional={
            "minDuration": st.sampled_from(("0s", "10s", "1h", "1d")),
            "minUnitsPerArm": st.integers(0, 50),
        },
    )
    return [{"percent": percent} | draw(more) for percent in percents]


@st.composite
def _metrics(draw: st.DrawFn, schema: Schema) -> Body:
    properties = schema["properties"]
    count = draw(st.integers(0, 3))
    guard, other = properties["guardrails"]["items"], properties["secondary"]["items"]
    made: Body = {
        "guardrails": [draw(_metric(guard, f"g{i}", guardrail=True)) for i in range(count)],
        "secondary": [draw(_metric(other, f"s{i}")) for i in range(draw(st.integers(0, 2)))],
    }
    if not count or draw(st.booleans()):
        made["primary"] = draw(_metric(properties["primary"], "p"))
    return made


@st.composite
def _metric(draw: st.DrawFn, schema: Schema, name: str, *, guardrail: bool = False) -> Body:
    """Return a metric whose fields suit its source and type."""
    made: Body = draw(_values(schema, ".metric"))
    source = draw(st.sampled_from(("Events", "Events", "Gateway", "Prometheus", "SQL")))
    kind = "Proportion" if source == "Gateway" else draw(st.sampled_from(("Proportion", "Mean")))
    keep = {"direction", "minimumEffect", "margin", "deviation", "baseline"}
    if source == "Events":
        keep |= {"window", "missing", "aggregate"} | ({"cap"} if kind == "Mean" else set())
    made = {key: value for key, value in made.items() if key in keep}
    if source == "Gateway":
        made |= {"direction": "Decrease"} | draw(st.sampled_from(({}, {"slowerThan": "200ms"})))
    if source in {"Prometheus", "SQL"}:
        made[source.lower()] = draw(_queries(source))
    for size in {"margin", "minimumEffect"} & made.keys():
        made[size] = {draw(st.sampled_from(("absolute", "relative"))): draw(st.floats(0.001, 0.2))}
    if "baseline" in made:
        made["baseline"] = draw(st.floats(0.3, 0.7))
    if "window" in made:
        made["window"] = draw(st.sampled_from(("1h", "1d", "500ms")))
    metric = {"name": name, "type": kind, "source": source}
    if guardrail and source == "Gateway" and draw(st.booleans()) and "slowerThan" in made:
        del metric["source"]
    return made | metric


@st.composite
def _queries(draw: st.DrawFn, source: str) -> Body:
    if source == "SQL":
        return {"urlSecretRef": {"name": draw(names())}, "query": draw(LINES)}
    return {"count": draw(LINES), "sum": draw(LINES), "sumOfSquares": draw(LINES)}


@st.composite
def _experiment_spec(draw: st.DrawFn) -> Body:
    made: Body = draw(_designs(_spec_schema("Experiment"), _USUAL_SHARES))
    mode = draw(st.sampled_from(("AB", "AB", "AB", "AA")))
    for i, arm in enumerate(made["arms"]):
        arm["version"] = "v-1" if mode == "AA" else f"v-{i}"
    made |= {"modelRef": {"name": draw(names())}, "mode": mode}
    return made | draw(st.sampled_from(({}, {"suspend": True})))


@st.composite
def _sources(draw: st.DrawFn, schema: Schema) -> Body:
    """Return what a version is made from."""
    properties = schema["properties"]
    key = draw(st.sampled_from(("training", "artifact", "image")))
    made: Body = {key: draw(_values(properties[key], f".{key}"))}
    if key != "training" and draw(st.booleans()):
        made["evaluation"] = draw(_values(properties["evaluation"], ".evaluation"))
        made["evaluation"].pop("columns" if key == "artifact" else "", None)
    for data in [part["data"] for part in made.values() if "data" in part]:
        data.pop("sql", None)
        data |= {"uri": "s3://lake/rows.csv", "target": "y", "key": "id"}
    if key == "training" or "evaluation" in made:
        made["gates"] = draw(st.lists(st.sampled_from(_GATES), max_size=MANY))
    return made


_GATES = (
    {"metric": "recall", "min": 0.8},
    {"metric": "latencyMs", "max": 5},
    {"metric": "rocAuc", "notWorseThanChampionBy": 0.01, "confidence": 0.9},
    {"metric": "accuracy", "min": 0.5, "max": 1, "slice": "region"},
)


@st.composite
def _model_spec(draw: st.DrawFn) -> Body:
    schema = _spec_schema("Model")
    made: Body = draw(_sources(schema))
    properties = schema["properties"]
    for key in ("serving", "history"):
        if draw(st.booleans()):
            made[key] = draw(_values(properties[key], f".{key}"))
    if draw(st.booleans()):
        template = properties["rollout"]["properties"]["experiment"]
        made["rollout"] = {"experiment": draw(_designs(template, st.sampled_from(((50, 50), (80, 20)))))}
        made["rollout"] |= draw(st.sampled_from(({}, {"strategy": "Experiment"}, {"strategy": "Replace"})))
    return made


@st.composite
def _version_spec(draw: st.DrawFn) -> Body:
    source = draw(_sources(_spec_schema("ModelVersion")["properties"]["source"]))
    return {
        "modelRef": {"name": draw(names())},
        "number": draw(st.integers(1, 99)),
        "source": source,
        "sourceDigest": "sha256:" + "0" * 64,
    }
