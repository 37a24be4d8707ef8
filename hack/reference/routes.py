"""The page of HTTP routes: from the applications themselves and their OpenAPI documents."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from assay_collector.api import app as collector
from assay_collector.api import openapi as collector_openapi
from assay_operator.handlers import web as operator
from assay_relay import settings as relay
from assay_serving.api import openapi as serving
from assay_shipper import settings as shipper
from reference.table import code, table

HEAD = """\
# HTTP

Made by `make generate` from the applications and their OpenAPI documents, which the collector and every
predictor answer at `/openapi.json`. A role is the bearer token that a route asks for
([SECURITY](../../SECURITY.md)); without one a route is open to whom the NetworkPolicy lets in.
"""
COLUMNS = ("method", "path", "role", "meaning")
Row = tuple[str, str, str, str]


def routes() -> str:
    """Return the page: a table for each process."""
    pages: dict[str, Iterable[Row]] = {
        "Operator": _of_app(operator.application(_nothing(), _nothing()), {}),
        "Collector": _of_app(collector.application(_nothing()), collector_openapi.openapi()["paths"]),
        "Predictor": _of_document(serving.openapi(_a_version())["paths"]),
        "Shipper": [_metrics_only(shipper.Settings)],
        "Relay": [_metrics_only(relay.Settings)],
    }
    return HEAD + "".join(f"\n## {title}\n\n{_table(rows)}" for title, rows in pages.items())


def _table(rows: Iterable[Row]) -> str:
    ordered: list[Row] = sorted(rows, key=_order)
    return table(COLUMNS, ordered)


def _of_app(app: Starlette, documented: dict[str, Any]) -> Iterator[Row]:
    for route in app.routes:
        assert isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"}):
            operation = documented.get(route.path, {}).get(method.lower())
            yield (
                method,
                code(route.path),
                *(_described(operation) if operation else ("", _docstring(route))),
            )


def _of_document(paths: dict[str, Any]) -> Iterator[Row]:
    for path, operations in paths.items():
        for method, operation in operations.items():
            yield (method.upper(), code(path), *_described(operation))


def _described(operation: dict[str, Any]) -> tuple[str, str]:
    roles = [role for each in operation.get("security", ()) for role in each]
    return ", ".join(roles), operation["summary"]


def _docstring(route: Route) -> str:
    """Return what the handler says of itself, after the method and the path if it repeats them."""
    text = " ".join((route.endpoint.__doc__ or "").split()).rstrip(".")
    return text.removeprefix(f"GET {route.path}").removeprefix(":").strip()


def _metrics_only(settings: Any) -> Row:
    port = settings.model_fields["listen_port"].default
    return "GET", code("/metrics"), "", f"metrics for Prometheus, on port {port}"


def _order(row: Row) -> tuple[str, str]:
    return row[1], row[0]


def _nothing() -> Any:
    """Stand for what handlers need when they are called: here they are only listed."""
    return SimpleNamespace(telemetry=None)


def _a_version() -> Any:
    """Return what the predictor's document asks of a version: its paths are the same for all."""
    return SimpleNamespace(model="", version="", manifest=SimpleNamespace(features=(), task="Classification"))
