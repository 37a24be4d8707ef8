"""How a Plan is written down: JSON that a person can read in the database."""

from functools import lru_cache
from typing import Any

import orjson

from assay_collector.attribution.experiment import Plan
from assay_collector.attribution.metric import Aggregate, Metric, Missing, Source, Type


def plan_text(plan: Plan) -> str:
    """Write a plan; equal plans give equal texts."""
    return orjson.dumps(plan, option=orjson.OPT_SORT_KEYS).decode()


@lru_cache(maxsize=4096)
def plan_from(text: str) -> Plan:
    """Read what `plan_text` wrote; as plans never change, each is parsed once."""
    raw = orjson.loads(text)
    return Plan(
        namespace=raw["namespace"],
        model=raw["model"],
        name=raw["name"],
        arms=tuple(raw["arms"]),
        metrics=tuple(_metric(metric) for metric in raw["metrics"]),
        started_at=raw["started_at"],
    )


def _metric(raw: dict[str, Any]) -> Metric:
    return Metric(
        name=raw["name"],
        type=Type(raw["type"]),
        source=Source(raw["source"]),
        window=raw["window"],
        missing=Missing(raw["missing"]),
        aggregate=Aggregate(raw["aggregate"]),
        slower_than=raw["slower_than"],
        cap=raw["cap"],
        lag=raw.get("lag"),
        learns_lag=raw.get("learns_lag", False),
    )
