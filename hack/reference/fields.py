"""The page of a kind: every field of its schema, as the API server has it."""

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from assay_api.crd import render_schema
from assay_api.rule import VALIDATIONS
from reference.table import code, table

Schema = dict[str, Any]

HEAD = """\
# {kind}

{about}

Made by `make generate` from `operator/assay_api`; `kubectl explain {plural}.spec` has the same texts. A field
without a default may be left out unless it is required; `[]` is an item of a list, `{{}}` a value of a map.
"""
COLUMNS = ("field", "type", "default", "allowed", "meaning")
BOUNDS = (
    ("minimum", "exclusiveMinimum", "at least {}", "above {}"),
    ("maximum", "exclusiveMaximum", "at most {}", "below {}"),
)
SIZES = (
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("minProperties", "at least {} entries"),
    ("maxProperties", "at most {} entries"),
)
TEXT_BOUND = 4096  # of every text that has no bound of its own: not worth a word


def fields(kind: type[BaseModel]) -> str:
    """Return the page: a table for spec and one for status, and the rules between fields."""
    schema = render_schema(kind)
    name = kind.__name__
    page = [HEAD.format(kind=name, plural=f"{name.lower()}s", about=_wrapped(schema["description"]))]
    for half in ("spec", "status"):
        found = list(_walk(half, schema["properties"][half], required=half == "spec"))
        page.append(f"\n## {half}\n\n")
        page.append(table(COLUMNS, (_row(*field) for field in found)))
        if rules := [line for path, inner, _ in found for line in _rules(path, inner)]:
            page.append(f"\nRules of `{half}`:\n\n{''.join(rules)}")
    return "".join(page)


def _walk(path: str, schema: Schema, *, required: bool) -> Iterator[tuple[str, Schema, bool]]:
    """Yield path, schema and whether it is required, of a field and of all below it."""
    yield path, schema, required
    needed = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        yield from _walk(f"{path}.{name}", inner, required=name in needed)
    for key, sign in (("items", "[]"), ("additionalProperties", "{}")):
        inner = schema.get(key)
        if isinstance(inner, dict):
            below = _walk(f"{path}{sign}", inner, required=False)
            own = next(below)
            if own[1].get("description"):
                yield own
            yield from below


def _row(path: str, schema: Schema, required: bool) -> list[str]:  # noqa: FBT001  as `_walk` yields it
    default = "required" if required else _default(schema)
    return [code(path), _type(schema), default, _allowed(schema), schema.get("description", "")]


def _default(schema: Schema) -> str:
    value = schema.get("default")
    if value is None or isinstance(value, dict):  # each field of an object has its own
        return ""
    return code(json.dumps(value))


def _type(schema: Schema) -> str:
    """Return it in words.

    >>> _type({"type": "array", "items": {"type": "string"}})
    'list of string'
    """
    if schema.get("x-kubernetes-int-or-string"):
        return "integer or string"
    kind: str = schema.get("type", "any")
    inner = schema.get("items") if kind == "array" else schema.get("additionalProperties")
    if isinstance(inner, dict):
        return f"{'list' if kind == 'array' else 'map'} of {_type(inner)}"
    return kind


def _allowed(schema: Schema) -> str:
    """Return the bounds in words.

    >>> _allowed({"minimum": 0, "exclusiveMinimum": True, "maximum": 1})
    'above 0, at most 1'
    """
    item = schema.get("items") or schema.get("additionalProperties") or {}
    words = [code(str(value)) for value in schema.get("enum", item.get("enum", ()))]
    for bound, strict, at, beyond in BOUNDS:
        if bound in schema:
            words.append((beyond if schema.get(strict) else at).format(schema[bound]))
    for bound, sentence in SIZES:
        if schema.get(bound, TEXT_BOUND) != TEXT_BOUND:
            words.append(sentence.format(schema[bound]))
    if "pattern" in schema and "enum" not in schema:
        words.append(f"matches {code(schema['pattern'])}")
    return ", ".join(words)


def _rules(path: str, schema: Schema) -> Iterator[str]:
    for rule in schema.get(VALIDATIONS, ()):
        line = f"- `{path}`: {rule['message']}"
        yield f"{_wrapped(line)}\n"


def _wrapped(text: str) -> str:
    """Break it where a diff can be read; what has no spaces stays whole."""
    return textwrap.fill(text, 118, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
