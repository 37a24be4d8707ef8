"""The routes as an OpenAPI document, with the version's own columns in it."""

from typing import Any

from assay_serving.api.schema import row
from assay_serving.codec.bodies import JSON
from assay_serving.problems import MEDIA_TYPE
from assay_serving.version import Version

PROBLEMS = {
    "400": "The body can't be read.",
    "413": "Too many bytes or rows.",
    "415": "The body's type is not read here.",
    "422": "A row or a column is not what the version needs; both are named.",
    "429": "Too many rows are waiting; come again after Retry-After seconds.",
    "503": "The model is not loaded yet.",
    "504": "The rows' deadline passed before the model got to them.",
}
READS = {
    "/schema": "What a row must look like",
    "/livez": "The process answers",
    "/readyz": "New requests may come",
    "/metrics": "Metrics for Prometheus",
    "/v2": "The server, in the Open Inference Protocol",
    "/v2/health/live": "The process answers",
    "/v2/health/ready": "New requests may come",
    "/v2/models/{name}": "Inputs and outputs, in the Open Inference Protocol",
    "/v2/models/{name}/ready": "The model takes requests",
}
NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}


def openapi(version: Version) -> dict[str, Any]:
    """Return the document."""
    one = {"$ref": "#/components/schemas/Row"}
    rows = {"type": "array", "items": one}
    body = {"oneOf": [{"type": "object", "required": ["rows"], "properties": {"rows": rows}}, rows]}
    paths: dict[str, Any] = {path: {"get": _get(path, summary)} for path, summary in READS.items()}
    paths["/predict"] = {"post": _post("Answer rows of raw features", body, "Answer")}
    paths["/explain"] = {"post": _post("What each feature adds to the score", body, "Explanation")}
    tensors = {"type": "object", "required": ["inputs"]}
    infer = {**_post("Answer tensors", tensors, "Tensors"), "parameters": [NAME]}
    paths["/v2/models/{name}/infer"] = {"post": infer}
    return {
        "openapi": "3.1.0",
        "info": {"title": version.model, "version": version.version},
        "paths": paths,
        "components": {"schemas": {"Row": row(version.manifest.features), **_answers(version)}},
    }


def _get(path: str, summary: str) -> dict[str, Any]:
    read: dict[str, Any] = {"summary": summary, "responses": {"200": {"description": summary}}}
    return {**read, "parameters": [NAME]} if "{name}" in path else read


def _post(summary: str, body: dict[str, Any], answer: str) -> dict[str, Any]:
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{answer}"}}}
    problem = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = {status: {"description": why, "content": problem} for status, why in PROBLEMS.items()}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {JSON: {"schema": body}}},
        "responses": {"200": {"description": "One answer for each row", "content": content}, **refusals},
    }


def _answers(version: Version) -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "number"}
    classified = {"label": {}, "probability": number, "probabilities": {"type": "object"}}
    one = {"value": number} if version.manifest.task == "Regression" else classified
    predictions = {"type": "array", "items": {"type": "object", "properties": one}}
    head = {"model": text, "version": text}
    shares = {"type": "object", "additionalProperties": number}
    explained = {"base": number, "score": number, "label": {}, "contributions": shares}
    items = {"type": "array", "items": {"type": "object", "properties": explained}}
    where = {"row": {"type": "integer"}, "column": text}
    problem = {"type": text, "title": text, "status": {"type": "integer"}, "detail": text, **where}
    return {
        "Answer": {"type": "object", "properties": {**head, "id": text, "predictions": predictions}},
        "Explanation": {"type": "object", "properties": {**head, "explanations": items}},
        "Tensors": {"type": "object", "properties": {"outputs": {"type": "array"}}},
        "Problem": {"type": "object", "properties": problem},
    }
