"""What an Experiment may and may not say: changes of a usual spec, and the rule that refuses each."""

from typing import Any

import pytest

from assay_api import experiment_rules as design
from assay_api import metric_rules as metric
from assay_api.rule import Rule

ARMS = [{"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "b"), 1)]
GUARD: dict[str, Any] = {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}
USUAL: dict[str, Any] = {"modelRef": {"name": "churn"}, "arms": ARMS, "metrics": GUARD}
QUERIES = {"count": "a", "sum": "b"}
SQL = {"urlSecretRef": {"name": "warehouse"}, "query": "select 1"}
LAYER = {"layer": {"name": "page", "share": 40}}
THIRD = {"name": "c", "version": "churn-3", "weight": 20}
THREE = [ARMS[0], ARMS[1] | {"weight": 30}, THIRD]
SHADOW = {"mode": "Shadow", "metrics": {}, "ramp": [{"percent": 10}, {"percent": 99}]}
TEN_ARMS = [{"name": f"a{i}", "version": f"v-{i}", "weight": 10} for i in range(10)]


def primary(**more: Any) -> dict[str, Any]:
    return {"metrics": {"primary": {"name": "m"} | more}}


def secondary(**more: Any) -> dict[str, Any]:
    return {"metrics": {"secondary": [{"name": "m"} | more]}}


def guardrail(name: str = "errors", **more: Any) -> dict[str, Any]:
    return {"metrics": {"guardrails": [{"name": name, "margin": {"absolute": 0.02}} | more]}}


def planned(baseline: float, effect: dict[str, float], **more: Any) -> dict[str, Any]:
    return primary(baseline=baseline, minimumEffect=effect, **more)


def even(each: str) -> list[dict[str, Any]]:
    """A ramp of three steps that last equally long."""
    return [{"percent": percent, "minDuration": each} for percent in (5, 10, 50)]


FINE: list[Any] = [
    pytest.param({}, id="the usual"),
    pytest.param(LAYER | {"ramp": [{"percent": 5}, {"percent": 20}]}, id="a ramp within its share"),
    pytest.param(primary(source="Prometheus", prometheus=QUERIES), id="a Proportion of Prometheus"),
    pytest.param(
        primary(type="Mean", source="Prometheus", prometheus=QUERIES | {"sumOfSquares": "c"}),
        id="a Mean of it",
    ),
    pytest.param(primary(type="Mean", source="SQL", sql=SQL), id="a Mean of a warehouse"),
    pytest.param(SHADOW, id="a shadow"),
    pytest.param(SHADOW | secondary(source="SQL", sql=SQL), id="a shadow that is measured"),
    pytest.param({"decision": {"approval": "Manual"}}, id="a person has the last word"),
    pytest.param({"decision": {"maxDuration": "2h"}}, id="a short one without a minimum"),
    pytest.param(guardrail("slow", slowerThan="200ms"), id="slow answers"),
    pytest.param(
        {"decision": {"maxDuration": "2h"}, "ramp": even("40m")},
        id="three steps of 40 minutes in two hours",
    ),
    pytest.param(guardrail("complaints", source="Events"), id="complaints are reported"),
    pytest.param(guardrail("complaints", source="Gateway"), id="errors under a name of one's own"),
    pytest.param(planned(0.9, {"absolute": 0.2}, direction="Decrease"), id="down from 90 percent"),
    pytest.param(planned(20, {"relative": 0.1}, type="Mean", deviation=30), id="a Mean may be 20"),
]


METRIC = {rule.message: rule for rule in (*metric.METRIC_RULES, *metric.METRICS_RULES)}


def of_metric(start: str) -> Rule:
    (found,) = [rule for message, rule in METRIC.items() if message.startswith(start)]
    return found


REFUSED: list[Any] = [
    pytest.param(LAYER, design.LAYER_FITS, id="the usual ramp is too wide for its share"),
    pytest.param(LAYER | {"ramp": [{"percent": 21}]}, design.LAYER_FITS, id="a little too wide"),
    pytest.param({"arms": [ARMS[0], ARMS[1] | {"weight": 40}]}, design.WEIGHTS_ADD_UP, id="90 percent"),
    pytest.param({"arms": [ARMS[0], ARMS[1] | {"name": "control"}]}, design.NAMES_DIFFER, id="a name twice"),
    pytest.param({"arms": [ARMS[0], ARMS[1] | {"name": "none"}]}, design.NAME_IS_TAKEN, id="a taken name"),
    pytest.param(
        {"arms": [ARMS[0], ARMS[1] | {"version": "churn-1"}]}, design.VERSIONS_DIFFER, id="its own mirror"
    ),
    pytest.param({"mode": "AA"}, design.VERSIONS_DIFFER, id="an A/A of two versions"),
    pytest.param({"ramp": [{"percent": 60}]}, design.RAMP_FITS, id="a ramp above the weights"),
    pytest.param(
        {"ramp": [{"percent": 20}, {"percent": 5}]}, design.RAMP_ASCENDS, id="a ramp that goes down"
    ),
    pytest.param(primary(source="Prometheus"), of_metric("source Prometheus"), id="Prometheus, no query"),
    pytest.param(primary(prometheus=QUERIES), of_metric("source Prometheus"), id="a query of nobody"),
    pytest.param(
        primary(source="SQL", prometheus=QUERIES), of_metric("source Prometheus"), id="a query of another"
    ),
    pytest.param(primary(source="SQL"), of_metric("source SQL"), id="SQL without a query"),
    pytest.param(primary(sql=SQL), of_metric("source SQL"), id="SQL of nobody"),
    pytest.param(
        primary(type="Mean", source="Prometheus", prometheus=QUERIES),
        of_metric("a Mean of Prometheus"),
        id="no squares",
    ),
    pytest.param(
        primary(type="Mean", source="SQL", sql=SQL, cap=3),
        of_metric("cap needs source"),
        id="a cap of sums",
    ),
    pytest.param(primary(cap=3), of_metric("cap needs type"), id="a cap of a Proportion"),
    pytest.param(primary(source="SQL", sql=SQL, window="1h"), of_metric("window and"), id="a window of sums"),
    pytest.param(primary(window="1h", lag="1h"), of_metric("lag needs"), id="a window and a lag"),
    pytest.param(guardrail(aggregate="Last"), of_metric("window and"), id="an aggregate of answers"),
    pytest.param(guardrail(type="Mean"), of_metric("a Gateway metric is"), id="a Mean of answers"),
    pytest.param(guardrail(direction="Increase"), of_metric("a Gateway metric counts bad"), id="more errors"),
    pytest.param(
        guardrail(missing="Ignore"), of_metric("a Gateway metric counts every"), id="missing errors"
    ),
    pytest.param(primary(slowerThan="1s"), of_metric("slowerThan"), id="slow outcomes"),
    pytest.param(primary(baseline=20), of_metric("baseline of a Proportion"), id="20 percent as 20"),
    pytest.param(primary(baseline=0), of_metric("baseline of a Proportion"), id="a rate of nothing"),
    pytest.param(
        {"metrics": GUARD | {"secondary": [{"name": "errors"}]}},
        of_metric("metrics must"),
        id="a metric twice",
    ),
    pytest.param(
        {
            "metrics": {
                "secondary": [
                    {"name": f"s{i}", "source": "SQL", "sql": SQL | {"query": "x" * 8000}} for i in range(3)
                ]
            }
            | GUARD
        },
        of_metric("the queries"),
        id="24 kB of queries",
    ),
    pytest.param(planned(0.9, {"absolute": 0.1}), metric.EFFECT_FITS, id="up to 100 percent"),
    pytest.param(planned(0.6, {"relative": 1}), metric.EFFECT_FITS, id="twice 60 percent"),
    pytest.param(planned(0.1, {"relative": 1}, direction="Decrease"), metric.EFFECT_FITS, id="down to none"),
    pytest.param(planned(1e-7, {"relative": 0.1}), metric.RATE_IS_FINDABLE, id="a hundred-millionth"),
    pytest.param(
        planned(0, {"relative": 0.1}, type="Mean", deviation=1), metric.MEAN_IS_FINDABLE, id="a tenth of 0"
    ),
    pytest.param(
        planned(1, {"absolute": 1e-9}, type="Mean", deviation=1),
        metric.MEAN_IS_FINDABLE,
        id="a hair's breadth",
    ),
    pytest.param(guardrail("complaints"), metric.SOURCE_IS_NAMED, id="complaints of nobody knows where"),
    pytest.param(guardrail("slow"), metric.SOURCE_IS_NAMED, id="slow, but slower than what"),
    pytest.param(guardrail(margin={"absolute": 2}), metric.MARGIN_IS_A_RATE, id="2 percent as 2"),
    pytest.param(
        guardrail("kept", source="Events", direction="Increase", margin={"relative": 1}),
        metric.MARGIN_LEAVES_SOMETHING,
        id="may fall to nothing",
    ),
    pytest.param(
        guardrail(baseline=0.5, margin={"relative": 1}),
        metric.MARGIN_CAN_BE_BROKEN,
        id="up to 100 percent errors",
    ),
    pytest.param(
        {"decision": {"minDuration": "3h", "maxDuration": "2h"}}, design.ENDS, id="ends before it may win"
    ),
    pytest.param(
        {"decision": {"maxDuration": "2h"}, "ramp": [{"percent": 5, "minDuration": "3h"}, {"percent": 50}]},
        design.RAMP_ENDS,
        id="the last step comes too late",
    ),
    pytest.param(
        {"decision": {"maxDuration": "2h"}, "ramp": [{"percent": 5}, {"percent": 50, "minDuration": "3h"}]},
        design.RAMP_ENDS,
        id="the last step is longer than the whole",
    ),
    pytest.param(
        {"decision": {"maxDuration": "2h"}, "ramp": even("41m")},
        design.RAMP_ENDS,
        id="three steps of 41 minutes in two hours",
    ),
    pytest.param(
        {"decision": {"maxUnits": 100}, "ramp": [{"percent": 5, "minUnitsPerArm": 51}]},
        design.UNITS_FIT,
        id="102 units of 100",
    ),
    pytest.param(
        {"decision": {"maxDuration": "2h"}} | primary(lag="3h"), design.LAGS_END, id="a lag too long"
    ),
    pytest.param(
        {"decision": {"maxDuration": "2h"}} | primary(window="3h"), design.WINDOWS_END, id="a window too long"
    ),
    pytest.param(
        {"arms": TEN_ARMS, "metrics": {"secondary": [{"name": f"s{i}"} for i in range(6)]} | GUARD},
        design.FEW_READINGS,
        id="63 readings",
    ),
    pytest.param({"unit": {"header": "x-envoy-peer"}}, design.OUR_HEADERS, id="a header of the gateway's"),
    pytest.param({"unit": {"header": "x-assay-arm"}}, design.OUR_HEADERS, id="a header of our own"),
    pytest.param({"unit": {"header": "cookie"}}, design.SPECIAL_HEADERS, id="all cookies"),
    pytest.param({"unit": {"header": "authorization"}}, design.SPECIAL_HEADERS, id="a credential"),
    pytest.param({"unit": {"header": "x-request-id"}}, design.SPECIAL_HEADERS, id="a request is no unit"),
    pytest.param(SHADOW | {"metrics": GUARD}, design.SHADOW_COUNTS_NO_UNITS, id="a shadow with a guardrail"),
    pytest.param(SHADOW | primary(), design.SHADOW_COUNTS_NO_UNITS, id="a shadow with a primary"),
    pytest.param(SHADOW | secondary(), design.SHADOW_COUNTS_NO_UNITS, id="a shadow with outcomes"),
    pytest.param(
        SHADOW | {"ramp": [{"percent": 10, "minUnitsPerArm": 5}]},
        design.SHADOW_COUNTS_NO_UNITS,
        id="a shadow that waits for units",
    ),
    pytest.param(SHADOW | {"arms": THREE}, design.SHADOW_IS_ONE, id="two shadows"),
    pytest.param(
        SHADOW | LAYER | {"ramp": [{"percent": 10}]}, design.SHADOW_IS_ONE, id="a shadow in a layer"
    ),
    pytest.param({"metrics": {}}, design.PROMISE, id="nothing to decide by"),
]
