"""The API's description, made from the types that read it."""

from typing import Any

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
REF = "#/components/schemas/{model}"


def openapi() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Assay collector", "version": "1", "description": __doc__},
        "paths": _paths(),
    }


def _paths() -> dict[str, Any]:
    return {}
