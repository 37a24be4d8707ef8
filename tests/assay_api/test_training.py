"""The Model's schema and the training Job share their types; what a schema cannot see, the Job refuses."""

import json
from typing import Any

import pytest

from assay_api.training import Training
from assay_training.__main__ import parse
from assay_training.errors import JobError

DATA = {"uri": "file:///x.csv", "target": "y", "key": "id"}


def job(training: dict[str, Any]) -> str:
    block = {"data": DATA} | training
    fields = {
        "model": "m",
        "namespace": "n",
        "version": "m-1",
        "number": 1,
        "store": "file:///s",
        "path": "p",
    }
    return json.dumps(fields | {"task": "Classification", "training": block})


def test_what_the_operator_writes_is_what_the_job_reads() -> None:
    spec = Training.model_validate(
        {"data": DATA, "tuning": {"timeout": "30m"}, "worker": {"nodeSelector": {"a": "b"}}}
    )
    dumped = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert parse(job(dumped)).training == spec


@pytest.mark.parametrize(
    ("training", "words"),
    [
        pytest.param(
            {"data": {**DATA, "sql": {"urlSecretRef": {"name": "s"}, "query": "x"}}}, "exactly one", id="both"
        ),
        pytest.param(
            {"data": {"target": "y", "key": "id"}}, "exactly one of uri or sql", id="no place at all"
        ),
        pytest.param({"split": {"testFrom": "2026-01-01"}}, "data.time only", id="a date without times"),
        pytest.param(
            {"data": DATA | {"time": "t"}, "split": {"testFrom": "2026-13-01"}},
            "is no date",
            id="a month too many",
        ),
        pytest.param({"data": DATA | {"time": "y"}}, "which is data.target", id="the target as time"),
        pytest.param(
            {"features": {"numeric": ["a"], "text": ["a"]}}, "'a' more than once", id="a feature twice"
        ),
        pytest.param({"features": {"numeric": ["y"]}}, "which is data.target", id="the target as feature"),
        pytest.param({"algorithms": ["SVM", "SVM"]}, "SVM more than once", id="an algorithm twice"),
        pytest.param(
            {"tuning": {"space": {"SVM": {"C": {"low": 2, "high": 1}}}}},
            "low 2 is not below high 1",
            id="ends swapped",
        ),
        pytest.param(
            {"tuning": {"space": {"SVM": {"C": {"low": 0, "high": 1, "log": True}}}}},
            "above 0",
            id="log of zero",
        ),
        pytest.param(
            {"tuning": {"space": {"SVM": {"C": {"low": 0, "high": 1, "choices": [1]}}}}},
            "either choices",
            id="both ways",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(training: dict[str, Any], words: str) -> None:
    with pytest.raises(JobError) as refusal:
        parse(job(training))
    assert refusal.value.reason == "InvalidSpec"
    assert words in refusal.value.message
