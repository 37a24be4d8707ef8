import json
from typing import Any

import pytest

from assay_api.version import Finding
from assay_operator.decide.training import fits, judging, made_by, superseded, trained

GATE = {"metric": "recall", "rule": "min 0.8", "value": 0.7, "passed": False, "message": "recall 0.7 < 0.8"}
GOOD = {
    "ok": True,
    "passed": True,
    "artifact": {"uri": "u", "digest": "d"},
    "data": {"rows": 10},
    "gates": [],
}


def ended(report: Any, **more: Any) -> Any:
    words = (report if isinstance(report, str) else json.dumps(report),)
    known: dict[str, Any] = {
        "finished": True,
        "job_message": "",
        "last_words": words,
        "trouble": "",
        "raw_study": {},
    }
    return trained(**(known | more))


WORKER = json.dumps({"ok": True, "passed": True, "worker": True})
STUDY = {"stage": "Tuning", "wanted": 40, "finished": 12, "failed": 1, "best": 0.83, "metric": "rocAuc"}


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
        pytest.param(
            ended("", last_words=(WORKER, json.dumps(GOOD)), finished=False),
            "Ready",
            "True",
            "GatesPassed",
            "",
            id="of many pods the leader has the word",
        ),
        pytest.param(
            ended("", last_words=(WORKER,), finished=False),
            "Training",
            "Unknown",
            "Training",
            "training",
            id="a worker that has no more to do says nothing of the version",
        ),
        pytest.param(
            ended("", finished=False, raw_study=STUDY),
            "Training",
            "Unknown",
            "Tuning",
            "12 of 40 trials, best rocAuc 0.83, 1 failed",
            id="a study that goes on",
        ),
        pytest.param(
            ended("", finished=False, raw_study=STUDY, trouble="not scheduled"),
            "Training",
            "Unknown",
            "Tuning",
            "1 failed, but a pod has a problem: not scheduled",
            id="a study that goes on with a worker less",
        ),
        pytest.param(
            ended("", finished=False, raw_study={"stage": "Lying", "wanted": "many"}),
            "Training",
            "Unknown",
            "Training",
            "training",
            id="a pod that says what no trainer says",
        ),
    ],
)
def test_what_a_training_comes_to(progress: Any, phase: str, ready: str, reason: str, words: str) -> None:
    assert (progress.phase, progress.ready, progress.reason) == (phase, ready, reason)
    assert words in progress.message


def test_data_is_valid_invalid_or_unknown() -> None:
    bad = {"ok": False, "reason": "KeyNotUnique", "message": "m"}
    assert [ended(GOOD).data_valid, ended(bad).data_valid, ended("").data_valid] == ["True", "False", None]


def test_the_counts_of_a_study_are_kept_while_it_goes_on() -> None:
    facts = ended("", finished=False, raw_study=STUDY).facts
    assert facts is not None
    assert facts.trials == {"finished": 12, "pruned": 0, "failed": 1}


def test_the_fit_of_a_version_is_two_conditions() -> None:
    found = fits((Finding(reason="Overfitting", message="0.99 and 0.6"), Finding(reason="Other", message="")))
    assert [(c.type, c.status, c.reason) for c in found] == [
        ("Overfitting", "True", "Overfitting"),
        ("Underfitting", "False", "FitAsExpected"),
    ]
    assert found[0].message == "0.99 and 0.6"


def test_what_was_brought_is_judged_and_not_trained() -> None:
    still = judging(ended("", finished=False, trouble="ErrImagePull"))
    assert (still.phase, still.reason) == ("Judging", "Judging")
    assert still.message == "judging, but a pod has a problem: ErrImagePull"
    assert judging(ended(GOOD)) == ended(GOOD)


def test_only_what_has_not_ended_is_superseded() -> None:
    assert superseded(ended("", finished=False)).reason == "Superseded"
    assert superseded(ended(GOOD)) == ended(GOOD)
    failed = ended({"ok": False, "reason": "ColumnMissing", "message": "no column age"})
    assert superseded(failed) == failed


def test_a_version_records_the_images_that_made_it() -> None:
    facts = made_by(ended(GOOD | {"environment": {"seed": 7}}), image="trainer:1", judged="").facts
    assert facts is not None
    assert facts.environment == {"seed": 7, "image": "trainer:1"}
    going_on = ended("", finished=False, raw_study=STUDY)
    assert made_by(going_on, image="trainer:1") == going_on
