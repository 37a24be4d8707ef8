"""Items of lists have no defaults in the API server, and rules read what is absent there as its default.

`kubectl apply` compares a list as a whole: one that the API server has filled in differs from what was
written, so that the same file would be applied as a change for ever. The types fill in the same values.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from assay_api.rule import VALIDATIONS

Schema = dict[str, Any]

_READ = re.compile(
    r"(?P<has>has\()?"
    r"(?<![\w.'])(?P<name>[a-zA-Z]\w*)"
    r"(?P<steps>(?:\.\w+|\[[^\[\]]*\])*)"
    r"(?P<opened>\((?P<variable>[a-z]\w*), )?"
)
_STEP = re.compile(r"\.\w+|\[[^\[\]]*\]")


class _Value(NamedTuple):
    """What a part of a rule stands for."""

    schema: Schema
    in_item: bool

    def step(self, step: str) -> "_Value":
        """Return the field, the item or the value of a map that the step leads to."""
        if step.startswith("."):
            return _Value(self.schema.get("properties", {}).get(step[1:], {}), self.in_item)
        if "items" in self.schema:
            return self.item
        return _Value(self.schema.get("additionalProperties", {}), self.in_item)

    @property
    def item(self) -> "_Value":
        """Return an item of the list; of a map a key, which has no fields."""
        return _Value(self.schema.get("items", {}), in_item=True)


def without_defaults_in_items(schema: Schema, *, in_item: bool = False) -> Schema:
    """Return a structural schema without defaults inside items of lists, its rules in the same sense."""
    out = _described(schema) if in_item else dict(schema)
    if rules := out.get(VALIDATIONS):
        spelled = [tolerant(rule["rule"], schema, in_item=in_item) for rule in rules]
        out[VALIDATIONS] = [rule | {"rule": cel} for rule, cel in zip(rules, spelled, strict=True)]
    if "items" in out:
        out["items"] = without_defaults_in_items(out["items"], in_item=True)
    if "additionalProperties" in out:
        out["additionalProperties"] = without_defaults_in_items(out["additionalProperties"], in_item=in_item)
    if "properties" in out:
        fields = out["properties"].items()
        out["properties"] = {name: without_defaults_in_items(of, in_item=in_item) for name, of in fields}
    return out


def _described(schema: Schema) -> Schema:
    """Return the schema without its default, which the description says instead."""
    out = {key: value for key, value in schema.items() if key != "default"}
    default = schema.get("default")
    if isinstance(default, str | bool | int | float) and default != "" and "description" in out:
        out["description"] += f" Default: {default if isinstance(default, str) else json.dumps(default)}."
    return out


def tolerant(cel: str, schema: Schema, *, in_item: bool = False) -> str:
    """Return the rule with `has(x.f) ? x.f : default` for each field of a list's items that has a default.

    Args:
        cel: A rule about `self`.
        schema: The schema of `self`, with all defaults.
        in_item: Whether `self` is an item of a list, or part of one.
    """
    return _READ.sub(_Reader({"self": _Value(schema, in_item)}), cel)


@dataclass
class _Reader:
    """Spells one read of a value; macros such as `self.ramp.all(s, ...)` add variables on the way."""

    scope: dict[str, _Value] = field(default_factory=dict)

    def __call__(self, read: re.Match[str]) -> str:
        if read["name"] not in self.scope:
            return read[0]
        value, text, steps = self.scope[read["name"]], read["name"], _STEP.findall(read["steps"])
        for number, step in enumerate(steps):
            if read["variable"] and number == len(steps) - 1:
                self.scope[read["variable"]] = value.item
            value, text = value.step(step), text + step
            tested = read["has"] and number == len(steps) - 1
            text = text if tested else _spelled(text, value)
        return (read["has"] or "") + text + (read["opened"] or "")


def _spelled(text: str, value: _Value) -> str:
    if not value.in_item or "default" not in value.schema:
        return text
    return f"(has({text}) ? {text} : {_literal(value.schema)})"


def _literal(schema: Schema) -> str:
    default = schema["default"]
    if not isinstance(default, str | bool | int | float):
        raise TypeError(f"a rule reads a field whose default is not a scalar: {default}")
    if schema["type"] == "number":
        return repr(float(default))
    return f"'{default}'" if isinstance(default, str) else json.dumps(default)
