"""What a version takes and gives, as JSON Schema."""

from typing import Any

from assay_artifact import Feature
from assay_serving.inference.explanation import Explanation, spelled
from assay_serving.version import Version

TYPES: dict[str, list[str]] = {
    "number": ["number"],
    "boolean": ["boolean", "number"],
    "category": ["string", "number", "boolean"],
    "text": ["string"],
    "date": ["string", "number"],
}


def schema(version: Version) -> dict[str, Any]:
    """Return the answer of `/schema`."""
    manifest = version.manifest
    return {
        "model": version.model,
        "version": version.version,
        "task": manifest.task,
        "format": manifest.format,
        "target": manifest.target,
        "classes": manifest.classes,
        "threshold": manifest.threshold,
        "positive": manifest.positive,
        "neutral": manifest.neutral.model_dump() if manifest.neutral else None,
        "features": [feature.model_dump(by_alias=True) for feature in manifest.features],
        "row": row(manifest.features),
    }


def row(features: tuple[Feature, ...]) -> dict[str, Any]:
    """Return the JSON Schema of one row.

    >>> row((Feature(name="age", type="number", nullable=False),))["properties"]
    {'age': {'type': ['number']}}
    """
    return {
        "type": "object",
        "properties": {f.name: {"type": TYPES[f.type] + ["null"] * f.nullable} for f in features},
        "required": [feature.name for feature in features if not feature.nullable],
    }


def explanations(version: Version, found: Explanation, classes: list[Any]) -> dict[str, Any]:
    """Return the answer of `/explain`."""
    features = version.manifest.features
    rows = zip(found.base.tolist(), found.scores.tolist(), found.contributions, classes, strict=True)
    items = [
        {
            "base": base,
            "score": score,
            "contributions": spelled(features, shares),
            **({} if label is None else {"label": label}),
        }
        for base, score, shares, label in rows
    ]
    explainer = version.explainer
    method = {"space": explainer.space if explainer else "", "walks": found.walks, "exact": found.exact}
    return {"model": version.model, "version": version.version, **method, "explanations": items}
