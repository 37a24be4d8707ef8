"""What an Experiment may not say: each rule refuses, in the words that the API server will use."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from assay_api import experiment, metric
from assay_api.experiment import ExperimentSpec, ExperimentTemplate

CRD = (Path(__file__).parents[2] / "crds/experiments.yaml").read_text()
ARMS = [{"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "b"), 1)]
GUARD = {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}
USUAL: dict[str, Any] = {"modelRef": {"name": "churn"}, "arms": ARMS, "metrics": GUARD}
ASKED = {"count": "a", "sum": "b"}
SQL = {"urlSecretRef": {"name": "warehouse"}, "query": "select 1"}
LAYER = {"layer": {"name": "page", "share": 40}}
THIRD = {"name": "c", "version": "churn-3", "weight": 20}
THREE = [ARMS[0], ARMS[1] | {"weight": 30}, THIRD]
SHADOW = {"mode": "Shadow", "metrics": {}, "ramp": [{"percent": 10}, {"percent": 99}]}


def primary(**said: Any) -> dict[str, Any]:
    return {"metrics": {"primary": {"name": "m"} | said}}


def secondary(**said: Any) -> dict[str, Any]:
    return {"metrics": {"secondary": [{"name": "m"} | said]}}


FINE = [
    pytest.param({}, id="the usual"),
    pytest.param(LAYER | {"ramp": [{"percent": 5}, {"percent": 20}]}, id="a ramp within its share"),
    pytest.param(primary(source="Prometheus", prometheus=ASKED), id="a Proportion of Prometheus"),
    pytest.param(
        primary(type="Mean", source="Prometheus", prometheus=ASKED | {"sumOfSquares": "c"}), id="a Mean of it"
    ),
    pytest.param(primary(type="Mean", source="SQL", sql=SQL), id="a Mean of a warehouse"),
    pytest.param(SHADOW, id="a shadow"),
    pytest.param(SHADOW | secondary(source="SQL", sql=SQL), id="a shadow that is measured"),
    pytest.param({"decision": {"approval": "Manual"}}, id="a person has the last word"),
]


@pytest.mark.parametrize("change", FINE)
def test_what_makes_sense_is_accepted(change: dict[str, Any]) -> None:
    ExperimentSpec.model_validate(USUAL | change)


REFUSED = [
    pytest.param(LAYER, experiment.LAYER_FITS, id="the usual ramp is too wide for its share"),
    pytest.param(LAYER | {"ramp": [{"percent": 21}]}, experiment.LAYER_FITS, id="a little too wide"),
    pytest.param(primary(source="Prometheus"), metric.PROMETHEUS_ASKS, id="Prometheus without a query"),
    pytest.param(primary(prometheus=ASKED), metric.PROMETHEUS_ASKS, id="a query of nobody"),
    pytest.param(primary(source="SQL", prometheus=ASKED), metric.PROMETHEUS_ASKS, id="a query of another"),
    pytest.param(primary(source="SQL"), metric.SQL_ASKS, id="SQL without a query"),
    pytest.param(primary(sql=SQL), metric.SQL_ASKS, id="SQL of nobody"),
    pytest.param(
        primary(type="Mean", source="Prometheus", prometheus=ASKED),
        metric.MEANS_NEED_SQUARES,
        id="no squares",
    ),
    pytest.param(
        primary(type="Mean", source="SQL", sql=SQL, cap=3), metric.CAP_NEEDS_VALUES, id="a cap of sums"
    ),
    pytest.param(
        primary(source="SQL", sql=SQL, window="1h"), metric.WINDOW_IS_FOR_EVENTS, id="a window of sums"
    ),
    pytest.param(
        SHADOW | {"metrics": GUARD}, experiment.SHADOW_COUNTS_NOBODY, id="a shadow with a guardrail"
    ),
    pytest.param(SHADOW | primary(), experiment.SHADOW_COUNTS_NOBODY, id="a shadow with a primary"),
    pytest.param(SHADOW | secondary(), experiment.SHADOW_COUNTS_NOBODY, id="a shadow with outcomes"),
    pytest.param(
        SHADOW | {"ramp": [{"percent": 10, "minUnitsPerArm": 5}]},
        experiment.SHADOW_COUNTS_NOBODY,
        id="a shadow that waits for units",
    ),
    pytest.param(SHADOW | {"arms": THREE}, experiment.SHADOW_IS_ONE, id="two shadows"),
    pytest.param(
        SHADOW | LAYER | {"ramp": [{"percent": 10}]}, experiment.SHADOW_IS_ONE, id="a shadow in a layer"
    ),
    pytest.param({"metrics": {}}, experiment.PROMISE, id="nothing to decide by"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_in_the_crds_own_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ExperimentSpec.model_validate(USUAL | change)
    assert words in str(caught.value)
    assert words.replace("'", "''") in " ".join(CRD.split()) or words in " ".join(CRD.split())


def test_a_rollout_may_name_a_layer_too() -> None:
    template = {"metrics": GUARD} | LAYER
    ExperimentTemplate.model_validate(template | {"ramp": [{"percent": 20}]})
    with pytest.raises(ValidationError, match="layer"):
        ExperimentTemplate.model_validate(template)
