"""Bring your own: an artifact meets its gates on rows of its owner, loaded as it will be served."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pandas
import pytest
import skops.io

from assay_training.__main__ import run
from assay_training.job.report import Report
from assay_training.job.training import train
from assay_training.spec import Job

Make = Callable[..., Job]
Judge = Callable[..., Report]
GATES = [
    {"metric": "rocAuc", "min": 0.6},
    {"metric": "accuracy", "min": 0.99},
    {"metric": "latencyMs", "max": 1e4},
]


@pytest.fixture
def artifact(job: Make) -> dict[str, Any]:
    report = train(job())
    return {name: report["artifact"][name] for name in ("uri", "digest")}


@pytest.fixture
def judge(artifact: dict[str, Any], file: Path) -> Judge:
    def go(data: dict[str, Any] | None = None, gates: Any = GATES, **fields: Any) -> Report:
        rows = {"uri": str(file), "target": "churn", "key": "customer_id", **(data or {})}
        whole = {
            "model": "churn", "namespace": "demo", "version": "churn-2", "number": 2, "store": "file:///none",
            "path": "p", "task": "Classification", "artifact": artifact, "evaluation": {"data": rows},
            "gates": gates, **fields,
        }  # fmt: skip
        return run({"ASSAY_JOB": json.dumps(whole)})

    return go


def test_an_artifact_is_judged_on_the_rows_of_its_owner(judge: Judge, artifact: dict[str, Any]) -> None:
    report = judge()
    assert report["ok"], report
    assert [gate["passed"] for gate in report["gates"]] == [True, False, True]
    assert not report["passed"]
    assert report["artifact"]["digest"] == artifact["digest"]
    assert report["data"]["rows"] == 600
    low, high = report["metrics"]["ci"]["rocAuc"]
    assert low < report["metrics"]["test"]["rocAuc"] < high


def test_it_is_compared_with_the_champion_on_the_same_rows(judge: Judge, artifact: dict[str, Any]) -> None:
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.01, "confidence": 0.9}]
    report = judge(gates=gates, champion=artifact)
    assert report["passed"], report
    assert "better by 0" in report["gates"][0]["message"]


def lone(artifact: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The version's own model, as a file without a manifest."""
    content = (Path(artifact["uri"].removeprefix("file://")) / "model.skops").read_bytes()
    (folder / "lone.skops").write_bytes(content)
    return {
        "uri": f"file://{folder}/lone.skops",
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "format": "Skops",
    }


def test_a_lone_file_is_judged_as_the_folder_is(
    judge: Judge, artifact: dict[str, Any], tmp_path: Path
) -> None:
    whole, alone = judge(), judge(artifact=lone(artifact, tmp_path))
    assert alone["ok"], alone
    assert alone["metrics"]["test"] == pytest.approx(whole["metrics"]["test"], rel=1e-4)  # one is a graph
    assert alone["artifact"]["format"] == "skops"


def test_a_lone_file_is_compared_with_a_champion_that_is_one(
    judge: Judge, artifact: dict[str, Any], tmp_path: Path
) -> None:
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.01, "confidence": 0.9}]
    file = lone(artifact, tmp_path)
    champion = {name: file[name] for name in ("uri", "digest")}
    report = judge(gates=gates, artifact=file, champion=champion, before=champion)
    assert report["passed"], report


def test_a_champion_that_is_a_pickle_needs_the_yes_that_it_was_given(
    judge: Judge, artifact: dict[str, Any], tmp_path: Path
) -> None:
    content = Path(lone(artifact, tmp_path)["uri"].removeprefix("file://")).read_bytes()
    model = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    joblib.dump(model, tmp_path / "lone.pkl")
    digest = hashlib.sha256((tmp_path / "lone.pkl").read_bytes()).hexdigest()
    champion = {"uri": f"file://{tmp_path}/lone.pkl", "digest": f"sha256:{digest}"}
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.01, "confidence": 0.9}]
    assert judge(gates=gates, champion=champion)["reason"] == "ChampionUnreadable"
    assert judge(gates=gates, champion=champion | {"allowPickle": True})["passed"]


def test_a_file_of_another_format_than_the_model_says_is_refused(
    judge: Judge, artifact: dict[str, Any], tmp_path: Path
) -> None:
    report = judge(artifact=lone(artifact, tmp_path) | {"format": "ONNX"})
    assert report["reason"] == "InvalidSpec"
    assert "a file that ends in .skops says skops, the Model asks for onnx" in report["message"]


@pytest.mark.parametrize(
    ("data", "gates", "fields", "reason"),
    [
        pytest.param({}, [{"metric": "rmse", "max": 1}], {}, "MetricUnfit", id="a gate of the other task"),
        pytest.param({"target": "state"}, GATES, {}, "TargetUnfit", id="labels that it does not know"),
        pytest.param({"uri": "/nowhere.csv"}, GATES, {}, "DataNotFound", id="no rows"),
        pytest.param({}, GATES, {"task": "Regression"}, "InvalidSpec", id="another task"),
        pytest.param(
            {}, GATES, {"evaluation": {"data": {"key": "a"}}}, "InvalidSpec", id="no evaluation at all"
        ),
    ],
)
def test_what_cannot_be_judged_has_a_reason(
    judge: Judge, data: dict[str, Any], gates: Any, fields: dict[str, Any], reason: str
) -> None:
    report = judge(data, gates, **fields)
    assert (report["ok"], report.get("reason")) == (False, reason)


def test_a_tampered_artifact_is_not_opened(judge: Judge, artifact: dict[str, Any]) -> None:
    folder = Path(artifact["uri"].removeprefix("file://"))
    (folder / "sample.json").write_text("{}")
    report = judge()
    assert (report["ok"], report["reason"]) == (False, "InfraCheckFailed")


def test_a_column_that_the_model_wants_must_be_there(judge: Judge, file: Path) -> None:
    pandas.read_csv(file).drop(columns="state").to_csv(file, index=False)
    report = judge()
    assert report["reason"] == "ColumnMissing"
    assert "'state'" in report["message"]
