"""The API's description fits the API."""

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from starlette.routing import Route


@pytest.fixture
def document(collector: Any) -> dict[str, Any]:
    with collector.client("nobody") as client:
        return dict(client.get("/openapi.json").json())


def test_every_route_is_described_and_nothing_else(collector: Any, document: dict[str, Any]) -> None:
    routes = [
        route for route in collector.routes() if isinstance(route, Route) and route.path.startswith("/v1")
    ]
    served = {(route.path, method) for route in routes for method in route.methods or () if method != "HEAD"}
    methods = {"get", "put", "post", "delete", "patch"}
    described = {(path, m.upper()) for path, item in document["paths"].items() for m in item if m in methods}
    assert described == served


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert node["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(document)


def test_every_object_has_a_name_that_a_generated_client_can_keep(document: dict[str, Any]) -> None:
    def anonymous(node: Any) -> Iterator[Any]:
        for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            if isinstance(each, dict) and isinstance(each.get("properties"), dict):
                yield each
            yield from anonymous(each)

    found = [a for schema in document["components"]["schemas"].values() for a in anonymous(schema)]
    assert found == []


def test_operation_ids_are_unique_names(document: dict[str, Any]) -> None:
    ids = [
        each["operationId"]
        for item in document["paths"].values()
        for each in item.values()
        if "operationId" in each
    ]
    assert len(ids) == len(set(ids)) == 10
    assert all(name.isidentifier() for name in ids)


def test_what_the_schema_takes_the_collector_takes(
    collector: Any, document: dict[str, Any], experiment: dict[str, Any], outcome: Any
) -> None:
    def valid(name: str, record: dict[str, Any]) -> bool:
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        return jsonschema.Draft202012Validator(schema).is_valid(record)

    with collector.client("operator") as operator, collector.client("application") as application:
        for record in (experiment, experiment | {"arms": []}, experiment | {"epoch": -1}):
            assert operator.put("/v1/experiments/e", json=record).is_success is valid("Experiment", record)
        for record in (outcome(1, "ann"), outcome(1, ""), outcome(1, "ann") | {"value": "x"}, {}):
            assert application.post("/v1/outcomes", json=record).is_success is valid("Outcome", record)
        summary = operator.get("/v1/experiments/e/summary").json()
        assert valid("Summary", summary)
        described = document["components"]["schemas"]["Checks"]
        assert described["properties"].keys() == summary["checks"].keys()
        assert all(check["description"] for check in described["properties"].values())
