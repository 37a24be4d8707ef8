"""The page of metrics: every one that a process of ours has, from its own registry."""

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from prometheus_client import REGISTRY, CollectorRegistry

import assay_operator
from assay_collector import telemetry as collector
from assay_relay import telemetry as relay
from assay_serving.metrics import Metrics
from assay_shipper import telemetry as shipper
from reference.table import code, table

PREFIX = "assay_"
HEAD = """\
# Metrics

Made by `make generate` from the registries of the processes. All are on `/metrics` of the process's own port
(see [HTTP](http.md)), in the names that Prometheus stores; a histogram has `_bucket`, `_sum` and `_count`.
"""
COLUMNS = ("metric", "type", "labels", "meaning")


class Metric(NamedTuple):
    """One metric, as it is on the page that Prometheus reads."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def metrics() -> str:
    """Return the page: a table for each process."""
    return HEAD + "".join(_section(title, registry) for title, registry in registries().items())


def registries() -> dict[str, CollectorRegistry]:
    """Return the registry of each process, with all of its metrics."""
    _import_all(assay_operator)
    return {
        "Operator": REGISTRY,
        "Collector": collector.Telemetry().registry,
        "Predictor": Metrics("", "", "").registry,
        "Shipper (beside each gateway)": shipper.Telemetry().registry,
        "Relay (beside each gateway)": relay.Telemetry().registry,
    }


def found(registry: CollectorRegistry) -> Iterator[Metric]:
    """Yield our metrics of a registry, in no order; those of Python itself are left out."""
    for each in _collectors(registry):
        name = str(getattr(each, "_name", ""))
        if name.startswith(PREFIX):
            kind = str(each._type)
            suffix = "_total" if kind == "counter" else ""
            yield Metric(f"{name}{suffix}", kind, tuple(each._labelnames), str(each._documentation))


def _section(title: str, registry: CollectorRegistry) -> str:
    rows = ([code(m.name), m.kind, ", ".join(map(code, m.labels)), m.about] for m in sorted(found(registry)))
    return f"\n## {title}\n\n{table(COLUMNS, rows)}"


def _collectors(registry: CollectorRegistry) -> Iterable[Any]:
    """Return what is registered; `collect` knows no labels of a metric that has no series yet."""
    return list(registry._collector_to_names)


def _import_all(package: ModuleType) -> None:
    """Import every module, as some metrics stand where they are counted."""
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
