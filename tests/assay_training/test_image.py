"""Bring your own Bento: a real one is asked its owner's rows, and meets the gates before it serves."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from servers import free_port
from sklearn.metrics import recall_score, roc_auc_score

from assay_training.__main__ import run
from assay_training.evaluation import endpoint
from assay_training.job.report import Report
from assay_training.job.training import train
from assay_training.spec import Job

BENTO = Path(__file__).parent / "bento"
Judge = Callable[..., Report]
GATES = [
    {"metric": "rocAuc", "min": 0.6},
    {"metric": "accuracy", "min": 0.99},
    {"metric": "accuracy", "min": 0.5, "slice": "international_plan"},
    {"metric": "latencyMs", "max": 1e4},
]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Bento that serves, as `bentoml serve` starts it in its image."""
    free = free_port()
    home = tmp_path_factory.mktemp("bento")
    words = ["bentoml", "serve", "service:Rules", "--host", "127.0.0.1", "--port", str(free)]
    env = {**os.environ, "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=BENTO, env=env, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        endpoint.Endpoint(f"http://127.0.0.1:{free}", "/predict").ready("/readyz", 60)
        yield free
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def judge(port: int, file: Path) -> Judge:
    def go(path: str = "/predict", gates: Any = GATES, **fields: Any) -> Report:
        rows = {"uri": str(file), "target": "churn", "key": "customer_id", **fields.pop("data", {})}
        evaluation = {"data": rows, **fields.pop("evaluation", {})}
        whole = {
            "model": "churn", "namespace": "demo", "version": "churn-2", "number": 2, "store": "file:///none",
            "path": "p", "task": "Classification", "evaluation": evaluation, "gates": gates,
            "image": {"image": "bento", "port": port, "predictPath": path}, **fields,
        }  # fmt: skip
        return run({"ASSAY_JOB": json.dumps(whole)})

    return go


def test_an_image_is_judged_on_the_rows_of_its_owner(judge: Judge) -> None:
    """It sees neither key nor target; the report is that of any judged version, without files."""
    report = judge()
    assert report["ok"], report
    assert [gate["passed"] for gate in report["gates"]] == [True, False, True, True]
    assert not report["passed"]
    assert "artifact" not in report
    assert report["data"]["rows"] == 600
    low, high = report["metrics"]["ci"]["rocAuc"]
    assert 0.6 < low < report["metrics"]["test"]["rocAuc"] < high
    assert "in international_plan" in report["gates"][2]["message"]


def test_the_figures_are_those_of_the_same_rules_asked_here(
    judge: Judge, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENTO)
    leaves = importlib.import_module("churn_rules").leaves
    rows = pandas.read_csv(file)
    likely = [leaves(row) for row in rows.to_dict("records")]
    truth = rows["churn"] == "yes"
    found = judge()["metrics"]["test"]
    assert found["rocAuc"] == pytest.approx(roc_auc_score(truth, likely))
    assert found["recall"] == pytest.approx(recall_score(truth, [one >= 0.5 for one in likely]))


def test_labels_alone_have_the_metrics_of_labels(judge: Judge) -> None:
    report = judge("/labels", [{"metric": "recall", "min": 0.1}, {"metric": "mcc", "min": -1}])
    assert report["passed"], report
    assert "rocAuc" not in report["metrics"]["test"]
    refused = judge("/labels", [{"metric": "rocAuc", "min": 0.5}])
    assert refused["reason"] == "MetricUnfit"
    assert "gates[0].metric rocAuc needs probabilities" in refused["message"]


def test_a_regression_answers_numbers(judge: Judge) -> None:
    report = judge(
        "/minutes", [{"metric": "rmse", "max": 100}], task="Regression", data={"target": "total_day_minutes"}
    )
    assert report["passed"], report
    assert report["metrics"]["test"]["rmse"] > 1


def test_it_sees_the_columns_that_are_named_and_no_answer(judge: Judge) -> None:
    few = ["international_plan", "total_day_minutes", "number_customer_service_calls"]
    assert judge(evaluation={"columns": few})["ok"]
    lacking = judge(evaluation={"columns": few[:2]})
    assert lacking["reason"] == "InfraCheckFailed"
    leaking = judge(evaluation={"columns": [*few, "churn"]})
    assert leaking["reason"] == "InvalidSpec"
    assert "must not see" in leaking["message"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("/nowhere", ["404", "image.predictPath"], id="another path"),
        pytest.param("/abroad", ["500", "for the row whose customer_id is "], id="an error for some rows"),
        pytest.param("/shouts", ["'NO', which is none of no, yes"], id="labels of its own"),
        pytest.param("/unsure", ["do not add up to 1"], id="no probabilities"),
        pytest.param("/first", ["gave 1 answers to 100 rows"], id="too few answers"),
        pytest.param("/bare", ['expected {"predictions"'], id="another shape"),
        pytest.param("/minutes", ["neither label nor probabilities"], id="an answer to another question"),
    ],
)
def test_an_image_that_answers_otherwise_does_not_pass(judge: Judge, path: str, words: list[str]) -> None:
    report = judge(path)
    assert (report["ok"], report.get("reason")) == (False, "InfraCheckFailed")
    for word in words:
        assert word in report["message"]


def test_an_image_that_is_not_there_is_waited_for_and_refused(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint.Endpoint.ready, "__defaults__", (0.5,))
    report = judge(image={"image": "bento", "port": 1})
    assert report["reason"] == "InfraCheckFailed"
    assert "GET http://127.0.0.1:1/readyz was not answered" in report["message"]
    assert "refused" in report["message"]


AGAINST = [{"metric": "recall", "notWorseThanChampionBy": 0.05, "confidence": 0.9}]


def test_it_is_compared_with_a_champion_that_was_trained(judge: Judge, job: Callable[..., Job]) -> None:
    artifact = train(job())["artifact"]
    champion = {name: artifact[name] for name in ("uri", "digest")}
    report = judge(gates=AGAINST, champion=champion)
    assert report["passed"], report
    assert "against the champion's" in report["gates"][0]["message"]


@pytest.mark.parametrize("path", ["/predict", "/labels"])
def test_it_is_compared_with_a_champion_that_is_an_image(judge: Judge, port: int, path: str) -> None:
    champion = {"service": f"http://127.0.0.1:{port}", "path": path}
    report = judge(gates=AGAINST, champion=champion)
    assert report["passed"], report
    assert "(better by 0," in report["gates"][0]["message"]


def test_an_artifact_is_compared_with_a_champion_that_is_an_image_and_wants_more(
    judge: Judge, job: Callable[..., Job], port: int
) -> None:
    """The image is sent all columns of the rows, also those that the artifact does not know."""
    artifact = train(job({"features": {"numeric": ["total_day_minutes"]}}))["artifact"]
    brought = {name: artifact[name] for name in ("uri", "digest")}
    champion = {"service": f"http://127.0.0.1:{port}", "path": "/predict"}
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.5}]
    report = judge(gates=gates, champion=champion, artifact=brought, image=None)
    assert report["passed"], report
    assert "against the champion's 0." in report["gates"][0]["message"]


@pytest.mark.parametrize(
    ("path", "metric", "words"),
    [
        pytest.param("/labels", "rocAuc", "no probabilities for rocAuc", id="which answers too little"),
        pytest.param("/nowhere", "recall", "answered 404", id="which is not there"),
    ],
)
def test_a_champion_that_cannot_be_asked_is_no_bar_that_was_passed(
    judge: Judge, port: int, path: str, metric: str, words: str
) -> None:
    champion = {"service": f"http://127.0.0.1:{port}", "path": path}
    report = judge(gates=[{"metric": metric, "notWorseThanChampionBy": 0.01}], champion=champion)
    assert report["ok"], report
    assert not report["passed"]
    assert words in report["gates"][0]["message"]


def test_a_trained_version_is_compared_with_a_champion_that_is_an_image(
    job: Callable[..., Job], port: int
) -> None:
    champion = {"service": f"http://127.0.0.1:{port}", "path": "/predict"}
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.5}]
    numbers = ["total_day_minutes", "number_customer_service_calls"]
    listed = {"features": {"numeric": numbers, "categorical": ["international_plan"]}}
    passed = train(job(listed, gates=gates, champion=champion))
    assert passed["passed"], passed["gates"]
    assert "against the champion's 0." in passed["gates"][0]["message"]
    unlisted = train(job(gates=gates, champion=champion, number=2))
    assert not unlisted["passed"]
    assert "nobody says which columns it wants" in unlisted["gates"][0]["message"]


def test_values_go_out_as_json_can_say_them() -> None:
    frame = pandas.DataFrame(
        {
            "number": [1.5, None],
            "whole": pandas.array([1, None], dtype="Int64"),
            "text": ["a", None],
            "flag": [True, False],
            "when": pandas.to_datetime(["2026-01-02T03:04:05", None]),
        }
    )
    (rows,) = endpoint.batches(frame)
    assert rows[0] == {"number": 1.5, "whole": 1, "text": "a", "flag": True, "when": "2026-01-02T03:04:05"}
    assert rows[1] == {"number": None, "whole": None, "text": None, "flag": False, "when": None}
    with pytest.raises(ValueError, match="infinite"):
        list(endpoint.batches(pandas.DataFrame({"number": [float("inf")]})))
