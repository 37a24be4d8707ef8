"""Write `crds/*.yaml` from the pydantic types, so that the two never disagree.

Kubernetes takes a subset of JSON Schema ("structural"): no `$ref`, no `anyOf` with null, no numeric
`exclusiveMinimum`, and no `additionalProperties` beside `properties`.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from assay_api.absent import without_defaults_in_items
from assay_api.experiment import Experiment
from assay_api.model import Model
from assay_api.resource import GROUP, VERSION
from assay_api.rule import VALIDATIONS
from assay_api.version import ModelVersion

Schema = dict[str, Any]

_DROPPED = {"title", "$defs", "$ref", "anyOf", "propertyNames"}
_ENDS = {
    "ge": "minimum",
    "le": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
}  # pydantic's own
_TEXT_BOUND = 4096  # a rule over unbounded text is over the API server's budget


class _Generator(GenerateJsonSchema):
    """Spells defaults out, as rules need them, but for what is absent or computed from other fields."""

    def encode_default(self, dft: Any) -> Any:
        """Return JSON."""
        if isinstance(dft, BaseModel):
            return {_alias(dft, name): self.encode_default(value) for name, value in _constant(dft)}
        if isinstance(dft, tuple):
            return [self.encode_default(item) for item in dft]
        return super().encode_default(dft)


def _alias(value: BaseModel, name: str) -> str:
    return type(value).model_fields[name].alias or name


def _constant(value: BaseModel) -> list[tuple[str, Any]]:
    fields = type(value).model_fields
    return [(name, item) for name, item in value if item is not None and fields[name].default_factory is None]


class _Plain(yaml.SafeDumper):
    """Writes repeated values in full: `&id001` anchors make a CRD unreadable."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def structural(schema: Schema, defs: dict[str, Schema]) -> Schema:
    """Turn one pydantic schema into the subset that Kubernetes accepts."""
    out = _spelled(_resolved(schema, defs))
    for inner in ("items", "additionalProperties"):
        if isinstance(out.get(inner), dict):
            out[inner] = structural(out[inner], defs)
    if "properties" in out:
        out["properties"] = {k: structural(v, defs) for k, v in out["properties"].items()}
    return out


def _spelled(schema: Schema) -> Schema:
    """Say one level in the words of OpenAPI 3.0, which is older than JSON Schema 2020."""
    out = {k: v for k, v in schema.items() if k not in _DROPPED}
    if out.get("default", ...) is None:
        del out["default"]
    if isinstance(out.get("additionalProperties"), bool):
        del out["additionalProperties"]
    out = _bounded(out)
    if rules := [*out.pop(VALIDATIONS, ()), *_keys(schema)]:
        out[VALIDATIONS] = rules
    return out


def _bounded(out: Schema) -> Schema:
    """Say what values are allowed in the same words."""
    if "const" in out:
        out["enum"] = [out.pop("const")]
    out = _ends(out)
    if out.get("type") == "integer":
        out["format"] = "int64"
    if out.get("type") == "string" and not {"enum", "format", "maxLength"} & out.keys():
        out["maxLength"] = _TEXT_BOUND
    return out


def _ends(out: Schema) -> Schema:
    """Say the ends of a range, fractions in CEL: of an integer the schema's own check would cut them off."""
    rules = list(out.get(VALIDATIONS, ()))
    out = {_ENDS.get(key, key): value for key, value in out.items()}
    for bound, sign in (("minimum", ">"), ("maximum", "<")):
        exclusive = f"exclusive{bound.capitalize()}"
        limit, strict = out.pop(bound, None), exclusive in out
        limit = out.pop(exclusive, limit)
        if limit is not None and float(limit).is_integer():
            out |= {bound: int(limit)} | ({exclusive: True} if strict else {})
        elif limit is not None:
            rules.append(_end(f"{limit:.10f}".rstrip("0"), sign, strict=strict))
    return out | ({VALIDATIONS: rules} if rules else {})


def _end(limit: str, sign: str, *, strict: bool) -> Schema:
    words = {">": ("at least", "above"), "<": ("at most", "below")}[sign][strict]
    return {"rule": f"self {sign}{'' if strict else '='} {limit}", "message": f"must be {words} {limit}"}


def _keys(schema: Schema) -> list[Schema]:
    """Bound the keys of a map, of which the API server's schemas cannot speak."""
    most = schema.get("propertyNames", {}).get("maxLength")
    message = f"names must have at most {most} characters"
    return [{"rule": f"self.all(key, size(key) <= {most})", "message": message}] if most else []


def _resolved(schema: Schema, defs: dict[str, Schema]) -> Schema:
    """Inline `$ref`, and unwrap `X | None`: absent is how Kubernetes spells null."""
    if "$ref" in schema:
        return _resolved(defs[schema["$ref"].rsplit("/", 1)[-1]], defs) | schema
    if "anyOf" in schema and "x-kubernetes-int-or-string" not in schema:
        (only,) = (option for option in schema["anyOf"] if option.get("type") != "null")
        return _resolved(only, defs) | schema
    return schema


SCALE = {
    "specReplicasPath": ".spec.serving.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.selector",
}


def crd(model: type[BaseModel], short: str, *columns: Schema, scale: Schema | None = None) -> Schema:
    """Return the CustomResourceDefinition of `model`, which has `spec` and `status`."""
    kind = model.__name__
    plural = f"{kind.lower()}s"
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}} | ({"scale": scale} if scale else {}),
        "additionalPrinterColumns": [
            *columns,
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "schema": {"openAPIV3Schema": render_schema(model)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": ["assay"],
            },
            "versions": [version],
        },
    }


def render_schema(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a kind."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    out = without_defaults_in_items(structural(schema, schema["$defs"]))
    del out["properties"]["metadata"]  # is Kubernetes' own
    out["properties"]["status"].pop("default", None)  # comes with the first report
    return out | {"required": ["spec"]}


def column(name: str, path: str, kind: str = "string", **more: Any) -> Schema:
    """Return a column of `kubectl get`."""
    return {"name": name, "type": kind, "jsonPath": path} | more


def _condition(name: str, field: str, of: str = "Ready") -> Schema:
    return column(name, f'.status.conditions[?(@.type=="{of}")].{field}')


def render() -> dict[str, str]:
    """Return every generated file as `{name: text}`."""
    crds = {
        "models.yaml": crd(
            Model,
            "amodel",
            column("Champion", ".status.champion"),
            column("Candidate", ".status.candidate"),
            _condition("Ready", "status"),
            _condition("Reason", "reason"),
            column("Endpoint", ".status.endpoint", priority=1),
            scale=SCALE,
        ),
        "modelversions.yaml": crd(
            ModelVersion,
            "amv",
            column("Model", ".spec.modelRef.name"),
            column("Number", ".spec.number", "integer"),
            column("Phase", ".status.phase"),
            _condition("Ready", "status"),
            column("Algorithm", ".status.bestParams.algorithm"),
            column("Rows", ".status.data.rows", "integer", priority=1),
            column("ROC AUC", ".status.metrics.test.rocAuc", "number", priority=1),
            column("RMSE", ".status.metrics.test.rmse", "number", priority=1),
            column("Trigger", ".spec.trigger", priority=1),
            _condition("Message", "message") | {"priority": 1},
        ),
        "experiments.yaml": crd(
            Experiment,
            "aexp",
            column("Model", ".spec.modelRef.name"),
            column("Phase", ".status.phase"),
            column("Step", ".status.step", "integer"),
            column("Candidate", ".status.arms[1].version"),
            column("Share", ".status.arms[1].share", "number"),
            column("Units", ".status.arms[1].units", "integer"),
            _condition("Waits for", "message", of="Progressing"),
        ),
    }
    return {name: yaml.dump(body, Dumper=_Plain, sort_keys=False, width=120) for name, body in crds.items()}


def main(folder: str) -> None:
    """Write the generated files into `folder`."""
    for name, text in render().items():
        Path(folder, name).write_text(text)


if __name__ == "__main__":
    main(sys.argv[1])
