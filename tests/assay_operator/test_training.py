import json
from typing import Any

import pytest

from assay_operator.decide.training import trained

GATE = {"metric": "recall", "rule": "min 0.8", "value": 0.7, "passed": False, "message": "recall 0.7 < 0.8"}
GOOD = {
    "ok": True,
    "passed": True,
    "artifact": {"uri": "u", "digest": "d"},
    "data": {"rows": 10},
    "gates": [],
}


def ended(report: Any, **more: Any) -> Any:
    words = report if isinstance(report, str) else json.dumps(report)
    return trained(**({"finished": True, "job_message": "", "last_words": words, "trouble": ""} | more))


@pytest.mark.parametrize(
    ("progress", "phase", "ready", "reason", "words"),
    [
        pytest.param(ended(GOOD), "Ready", "True", "GatesPassed", "gates passed", id="passed"),
        pytest.param(
            ended(GOOD | {"passed": False, "gates": [GATE]}),
            "Rejected",
            "False",
            "GateFailed",
            "recall 0.7",
            id="a gate failed",
        ),
        pytest.param(
            ended({"ok": False, "reason": "ColumnMissing", "message": "no column age"}),
            "Failed",
            "False",
            "ColumnMissing",
            "age",
            id="bad data",
        ),
        pytest.param(
            ended("", trouble="OOMKilled, exit code 137"),
            "Failed",
            "False",
            "TrainingFailed",
            "OOMKilled",
            id="killed for its memory",
        ),
        pytest.param(
            ended("", job_message="backoff limit"),
            "Failed",
            "False",
            "TrainingFailed",
            "backoff limit",
            id="no words at all",
        ),
        pytest.param(
            ended("Segmentation fault"),
            "Failed",
            "False",
            "TrainingFailed",
            "said nothing",
            id="words that are no report",
        ),
        pytest.param(
            ended("", finished=False), "Training", "Unknown", "Training", "training", id="still at work"
        ),
        pytest.param(
            ended("", finished=False, trouble="ErrImagePull"),
            "Training",
            "Unknown",
            "Training",
            "ErrImagePull",
            id="an image that is not there",
        ),
        pytest.param(
            ended(GOOD, finished=False),
            "Ready",
            "True",
            "GatesPassed",
            "",
            id="the pod has ended, the Job not yet",
        ),
        pytest.param(
            ended({"ok": False, "reason": "X", "message": "m"}, finished=False),
            "Training",
            "Unknown",
            "Training",
            "",
            id="a failed pod that may be tried again",
        ),
    ],
)
def test_what_a_training_comes_to(progress: Any, phase: str, ready: str, reason: str, words: str) -> None:
    assert (progress.phase, progress.ready, progress.reason) == (phase, ready, reason)
    assert words in progress.message


def test_data_is_valid_invalid_or_unknown() -> None:
    bad = {"ok": False, "reason": "KeyNotUnique", "message": "m"}
    assert [ended(GOOD).data_valid, ended(bad).data_valid, ended("").data_valid] == ["True", "False", None]
