"""Write `crds/*.yaml` from the pydantic types, so that the two never disagree.

Kubernetes takes a subset of JSON Schema ("structural"): no `$ref`, no `anyOf` with null, no numeric
`exclusiveMinimum`, and no `additionalProperties` beside `properties`.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from assay_api.experiment import Experiment
from assay_api.model import Model
from assay_api.resource import GROUP, VERSION
from assay_api.version import ModelVersion

Schema = dict[str, Any]

_DROPPED = {"title", "$defs", "$ref", "anyOf", "propertyNames"}
_TEXT_BOUND = 4096  # a rule over unbounded text is over the API server's budget


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
    if "default" in out:
        out["default"] = _said(out["default"])
    if isinstance(out.get("additionalProperties"), bool):
        del out["additionalProperties"]
    return _bounded(out)


def _bounded(out: Schema) -> Schema:
    """Say what values are allowed in the same words."""
    if "const" in out:
        out["enum"] = [out.pop("const")]
    for bound in ("Minimum", "Maximum"):
        if (limit := out.pop(f"exclusive{bound}", None)) is not None:
            out |= {bound.lower(): limit, f"exclusive{bound}": True}
    if out.get("type") == "integer":
        out["format"] = "int64"
    if out.get("type") == "string" and not {"enum", "format", "maxLength"} & out.keys():
        out["maxLength"] = _TEXT_BOUND
    return out


def _said(default: Any) -> Any:
    """Return a default without its nulls, at any depth."""
    if isinstance(default, dict):
        return {k: _said(v) for k, v in default.items() if v is not None}
    return [_said(item) for item in default] if isinstance(default, list) else default


def _resolved(schema: Schema, defs: dict[str, Schema]) -> Schema:
    """Inline `$ref`, and unwrap `X | None`: absent is how Kubernetes spells null."""
    if "$ref" in schema:
        return _resolved(defs[schema["$ref"].rsplit("/", 1)[-1]], defs) | schema
    if "anyOf" in schema:
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
        "schema": {"openAPIV3Schema": _schema(model)},
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


def _schema(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(by_alias=True)
    out = structural(schema, schema["$defs"])
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
