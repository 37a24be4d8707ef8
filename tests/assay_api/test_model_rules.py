"""What makes no sense as a Model is refused by the types with the words of the API server's rules."""

from typing import Any

import pytest
from model_cases import FINE, IMAGE, REFUSED, TEMPLATE, UNBOUNDED
from pydantic import ValidationError

from assay_api import data, model, resource, serving, training, tuning
from assay_api.data import Contract, Data, WrittenContract
from assay_api.duration import seconds
from assay_api.model import Model, ModelSpec, Rollout
from assay_api.rule import Rule
from assay_api.training import Features, Gate
from assay_api.version import ModelVersion


@pytest.mark.parametrize(("spec", "rule"), REFUSED)
def test_a_model_that_makes_no_sense_is_refused(spec: dict[str, Any], rule: Rule) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelSpec.model_validate(spec)
    assert rule.message in str(caught.value)


def test_every_rule_of_a_model_refuses_something() -> None:
    refusing = {param.values[1].message for param in REFUSED}
    types: tuple[type[Any], ...] = (
        ModelSpec,
        Rollout,
        serving.Serving,
        serving.Resources,
        Data,
        data.ColumnRules,
        WrittenContract,
    )
    types = (*types, training.Training, Features, training.Neutral, Gate, tuning.SearchRange, model.Artifact)
    assert {rule.message for kind in types for rule in kind.RULES} - refusing == set()


@pytest.mark.parametrize(("spec", "words"), UNBOUNDED)
def test_texts_numbers_and_times_have_bounds(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ModelSpec.model_validate(spec)


@pytest.mark.parametrize("spec", FINE)
def test_a_model_that_can_be_judged_is_taken(spec: dict[str, Any]) -> None:
    assert ModelSpec.model_validate(spec)


@pytest.mark.parametrize(
    ("rollout", "strategy"),
    [
        pytest.param({}, "Replace", id="nothing to compare by"),
        pytest.param({"experiment": TEMPLATE}, "Experiment", id="an experiment is meant"),
        pytest.param({"experiment": TEMPLATE, "strategy": "Replace"}, "Replace", id="until further notice"),
    ],
)
def test_a_rollout_with_an_experiment_is_one(rollout: dict[str, Any], strategy: str) -> None:
    assert Rollout.model_validate(rollout).strategy == strategy


def test_the_contract_that_training_infers_may_be_of_any_size() -> None:
    columns = {f"c{i}": {"allowed": ["x" * 100] * 50} for i in range(300)}
    assert len(Contract.model_validate({"columns": columns}).columns) == 300


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        pytest.param("a" * 41, model.NAME_FITS, id="too long"),
        pytest.param("1a", model.NAME_FITS, id="a digit first"),
        pytest.param("a.b", model.NAME_FITS, id="a dot"),
        pytest.param("prod--predictor", resource.NO_DOUBLE_DASH, id="a name of a child"),
    ],
)
def test_the_name_of_a_model_leaves_room_for_its_children(name: str, rule: Rule) -> None:
    metadata = {"name": name, "namespace": "n", "uid": "u"}
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"metadata": metadata, "spec": IMAGE})
    assert rule.message in str(caught.value)


def test_the_longest_name_of_a_version_is_that_of_the_longest_model() -> None:
    spec = {"modelRef": {"name": "a"}, "number": 10**9, "source": IMAGE, "sourceDigest": "x"}
    metadata = {"name": "a" * 40 + f"-{10**9}", "namespace": "n", "uid": "u"}
    assert ModelVersion.model_validate({"metadata": metadata, "spec": spec})


def test_the_words_of_a_duration_are_counted_once() -> None:
    assert seconds("1d1h1m1s1ms") == 90061.001
