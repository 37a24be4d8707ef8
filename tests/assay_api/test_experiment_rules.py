"""What an Experiment may not say: each rule refuses, in the words that the API server will use."""

from typing import Any

import pytest
from experiment_cases import FINE, GUARD, LAYER, REFUSED, USUAL
from pydantic import ValidationError

from assay_api import experiment_rules as design
from assay_api import metric_rules as metric
from assay_api.duration import seconds
from assay_api.experiment import Decision, Experiment, ExperimentSpec, ExperimentTemplate
from assay_api.metric import Guardrail, Metrics
from assay_api.rule import Rule


@pytest.mark.parametrize("change", FINE)
def test_what_makes_sense_is_accepted(change: dict[str, Any]) -> None:
    ExperimentSpec.model_validate(USUAL | change)


@pytest.mark.parametrize(("change", "rule"), REFUSED)
def test_what_makes_no_sense_is_refused_in_the_crds_own_words(change: dict[str, Any], rule: Rule) -> None:
    with pytest.raises(ValidationError) as caught:
        ExperimentSpec.model_validate(USUAL | change)
    assert rule.message in str(caught.value)


def test_every_rule_of_an_experiment_refuses_something() -> None:
    refusing = {param.values[1].message for param in REFUSED}
    every = (
        *ExperimentSpec.RULES, *Metrics.RULES, *metric.PRIMARY_RULES, *Guardrail.RULES, design.ENDS,
        design.OUR_HEADERS, design.SPECIAL_HEADERS,
    )  # fmt: skip
    assert {rule.message for rule in every} - refusing == set()


def test_a_rollout_may_name_a_layer_too() -> None:
    template = {"metrics": GUARD} | LAYER
    ExperimentTemplate.model_validate(template | {"ramp": [{"percent": 20}]})
    with pytest.raises(ValidationError, match="layer"):
        ExperimentTemplate.model_validate(template)


@pytest.mark.parametrize(
    ("decision", "least"),
    [
        pytest.param({}, "7d", id="a week"),
        pytest.param({"maxDuration": "2h"}, "2h", id="all the time there is"),
        pytest.param({"maxDuration": "10d"}, "7d", id="no more than a week"),
        pytest.param({"minDuration": "1h"}, "1h", id="what is written"),
    ],
)
def test_the_minimum_duration_is_a_week_where_there_is_one(decision: dict[str, str], least: str) -> None:
    assert Decision.model_validate(decision).min_duration == least


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        pytest.param({"power": 0}, "greater than or equal to 0.5", id="a power of 0"),
        pytest.param({"alpha": 0.5}, "less than 0.5", id="a coin"),
        pytest.param({"alpha": True}, "valid number", id="a boolean is no number"),
        pytest.param({"maxUnits": "5"}, "valid integer", id="text is no number"),
        pytest.param({"maxDuration": "99999999999999d"}, "match pattern", id="an age of the universe"),
        pytest.param({"maxDuration": "91d"}, "from 1s to 90d", id="more than 90 days"),
        pytest.param({"maxDuration": "0s"}, "from 1s to 90d", id="no time at all"),
        pytest.param({"maxDataAge": "2d"}, "from 1s to 1d", id="data of the day before"),
    ],
)
def test_numbers_and_times_have_bounds(decision: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Decision.model_validate(decision)


def test_no_duration_of_the_form_overflows() -> None:
    assert seconds("9999d999999h"[:16]) < 2**40


def test_fields_of_a_newer_crd_are_ignored_when_reading_and_refused_when_a_person_wrote_them() -> None:
    newer = USUAL | {"colour": "blue", "decision": {"patience": 3}}
    assert ExperimentSpec.model_validate(newer) == ExperimentSpec.model_validate(USUAL)
    with pytest.raises(ValidationError, match=r"(?s)colour.*patience|patience.*colour"):
        ExperimentSpec.written(newer)


@pytest.mark.parametrize("name", ["a" * 64, "a.b", "1a", "a--b", "A"])
def test_the_name_of_an_experiment_is_a_label(name: str) -> None:
    metadata = {"name": name, "namespace": "n", "uid": "u"}
    with pytest.raises(ValidationError, match=r"metadata\.name must"):
        Experiment.model_validate({"metadata": metadata, "spec": USUAL})
