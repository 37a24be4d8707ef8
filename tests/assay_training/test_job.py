"""Whole runs on real rows, from the job to an artifact that the serving code opens."""

import json
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from assay_artifact import fetch, load
from assay_training.errors import JobError
from assay_training.job.preparation import prepare
from assay_training.job.report import Report
from assay_training.job.training import train
from assay_training.packaging.artifact import must_answer
from assay_training.spec import Job

Make = Callable[..., Job]


def opened(report: Report, folder: Path) -> Any:
    manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], folder)
    return load(folder, manifest)


def test_a_version_answers_raw_rows_with_classes(job: Make, tmp_path: Path) -> None:
    report = train(job())
    predictor = opened(report, tmp_path / "copy")
    raw = {
        "state": ["KS", None],
        "international_plan": ["yes", "never seen"],
        "total_day_minutes": [300.0, None],
        "number_customer_service_calls": [9, 0],
    }
    answer = predictor.predict(raw)
    assert answer.labels.tolist() == ["yes", "no"]
    assert np.allclose(answer.probabilities.sum(axis=1), 1)
    assert predictor.manifest.positive == "yes"
    assert report["metrics"]["test"]["rocAuc"] > 0.7


def test_equal_jobs_make_the_same_artifact_to_the_byte(job: Make, tmp_path: Path) -> None:
    spec = {
        "algorithms": ["RandomForest", "LogisticRegression", "HistGradientBoosting"],
        "tuning": {"trials": 4, "seed": 7},
    }
    first = train(job(spec))
    shutil.rmtree(tmp_path / "store")
    assert train(job(spec)) == first


def test_rows_in_another_order_have_the_same_sides(job: Make, file: Path) -> None:
    before = prepare(job())
    keys = pandas.read_csv(file).sample(frac=1, random_state=1)
    keys.to_csv(file, index=False)
    after = prepare(job())
    place = dict(zip(before.table.frame.customer_id, before.parts.fold.tolist(), strict=True))
    assert dict(zip(after.table.frame.customer_id, after.parts.fold.tolist(), strict=True)) == place


def test_a_failed_gate_rejects_the_version_but_keeps_its_artifact(job: Make, tmp_path: Path) -> None:
    report = train(job(gates=[{"metric": "rocAuc", "min": 0.5, "max": 0.6}]))
    assert [gate["passed"] for gate in report["gates"]] == [True, False]
    assert (report["ok"], report["passed"]) == (True, False)
    assert "> 0.6" in report["gates"][1]["message"]
    assert opened(report, tmp_path / "copy").manifest.metadata["gates"] == report["gates"]


@pytest.fixture
def more(churn: pandas.DataFrame, tmp_path: Path) -> Path:
    churn.head(2000).to_csv(tmp_path / "more.csv", index=False)
    return tmp_path / "more.csv"


FEW, STRONG = {"features": {"numeric": ["total_day_minutes"]}}, {"algorithms": ["HistGradientBoosting"]}


@pytest.mark.parametrize(
    ("champion", "challenger", "passed"),
    [
        pytest.param(FEW, STRONG, "passes", id="boosting on all columns is not worse than one column"),
        pytest.param(STRONG, FEW, "fails", id="one column is worse than boosting on all"),
    ],
)
def test_a_challenger_meets_the_champion_on_the_same_rows(
    job: Make, more: Path, champion: dict[str, Any], challenger: dict[str, Any], passed: str
) -> None:
    first = train(job(champion, data={"uri": str(more)}))
    gates = [{"metric": "rocAuc", "notWorseThanChampionBy": 0.01}]
    link = {key: first["artifact"][key] for key in ("uri", "digest")}
    second = train(job(challenger, data={"uri": str(more)}, number=2, gates=gates, champion=link))
    assert second["passed"] is (passed == "passes")
    text = second["gates"][0]["message"]
    assert f"the champion's {first['metrics']['test']['rocAuc']:.4g}" in text


def test_a_champion_whose_column_is_gone_cannot_be_compared(job: Make, file: Path) -> None:
    first = train(job())
    pandas.read_csv(file).drop(columns="state").to_csv(file, index=False)
    link = {key: first["artifact"][key] for key in ("uri", "digest")}
    report = train(job(number=2, gates=[{"metric": "rocAuc", "notWorseThanChampionBy": 0.01}], champion=link))
    assert not report["passed"]
    assert "lacks its column 'state'" in report["gates"][0]["message"]


def test_a_regression_is_judged_by_its_own_metrics(
    job: Make, churn: pandas.DataFrame, file: Path, tmp_path: Path
) -> None:
    churn.head(600)[
        ["customer_id", "state", "total_eve_minutes", "total_day_charge", "total_day_calls"]
    ].to_csv(file, index=False)
    report = train(job({"algorithms": ["LinearRegression", "HistGradientBoosting"], "tuning": {"trials": 2}},
                       data={"target": "total_eve_minutes"}, task="Regression"))  # fmt: skip
    assert set(report["metrics"]["test"]) == {
        "rmse",
        "mae",
        "mape",
        "medianAbsoluteError",
        "r2",
        "pinball10",
        "pinball90",
    }
    answer = opened(report, tmp_path / "copy").predict(
        {"state": ["KS"], "total_day_charge": [45.07], "total_day_calls": [110]}
    )
    assert answer.values.shape == (1,)


@pytest.mark.parametrize("algorithm", ["LogisticRegression", "HistGradientBoosting", "RandomForest"])
def test_text_beside_columns_trains_and_is_served(
    job: Make, file: Path, tmp_path: Path, algorithm: str
) -> None:
    rows = pandas.read_csv(file)
    text = rows.churn.map({"yes": "I am leaving you for good", "no": "all is well with me today"})
    rows["note"] = text + " " + rows.customer_id.astype(str) + " " + rows.state
    rows.loc[3, "note"] = None
    rows.to_csv(file, index=False)
    report = train(job({"algorithms": [algorithm]}))
    predictor = opened(report, tmp_path / "copy")
    assert {feature.type for feature in predictor.manifest.features} == {"category", "number", "text"}
    answer = predictor.predict({"note": ["leaving for good", None]})
    assert answer.labels[0] == "yes"
    assert report["metrics"]["test"]["rocAuc"] > 0.95


def test_parquet_with_globs_is_one_table(job: Make, file: Path, tmp_path: Path) -> None:
    rows = pandas.read_csv(file)
    for number, part in enumerate((rows.head(200), rows.iloc[200:])):
        part.to_parquet(tmp_path / f"part-{number}.parquet")
    report = train(job(data={"uri": f"{tmp_path}/part-*.parquet"}))
    assert (report["data"]["rows"], report["data"]["train"] + report["data"]["test"]) == (600, 600)


def test_the_sample_is_written_and_repeated_by_the_artifact(job: Make, tmp_path: Path) -> None:
    report = train(job())
    predictor = opened(report, tmp_path / "copy")
    stored = json.loads((tmp_path / "copy/sample.json").read_text())
    assert predictor.predict(stored["rows"]).probabilities.tolist() == stored["answers"]


@pytest.mark.parametrize(
    ("moved", "accepted"),
    [
        pytest.param(np.nextafter(0.17, 1) - 0.17, True, id="rounding: a row's place in a batch moves it"),
        pytest.param(1e-6, False, id="another answer"),
    ],
)
def test_a_copy_must_answer_the_same_but_for_rounding(
    job: Make, tmp_path: Path, moved: float, *, accepted: bool
) -> None:
    predictor = opened(train(job()), tmp_path / "copy")
    stored = json.loads((tmp_path / "copy/sample.json").read_text())
    answers = np.array(stored["answers"]) + moved
    with nullcontext() if accepted else pytest.raises(JobError, match="answers otherwise"):
        must_answer(predictor, stored["rows"], answers)


def test_a_hash_sample_trains_on_a_part(job: Make) -> None:
    assert 230 < train(job({"split": {"folds": 2, "sample": 0.5}}))["data"]["rows"] < 370


def test_rows_of_a_group_stay_together(job: Make) -> None:
    prepared = prepare(job({"split": {"folds": 3, "group": "state"}}))
    sides = pandas.Series(prepared.parts.fold).groupby(prepared.table.frame.state.to_numpy()).nunique()
    assert (sides == 1).all()
    assert prepared.parts.test.any()


@pytest.mark.parametrize(
    ("training", "algorithm"),
    [
        pytest.param({"algorithms": ["KNeighbors"]}, "KNeighbors", id="neighbours"),
        pytest.param({"algorithms": ["NaiveBayes"]}, "NaiveBayes", id="naive Bayes"),
        pytest.param({"algorithms": ["SVM"]}, "SVM", id="a support vector machine"),
        pytest.param(
            {
                "estimator": {
                    "import": "sklearn.ensemble.ExtraTreesClassifier",
                    "params": {"n_estimators": 20},
                }
            },
            "ExtraTreesClassifier",
            id="an estimator by its import path",
        ),
        pytest.param(
            {
                "algorithms": ["HistGradientBoosting"],
                "classWeight": "Balanced",
                "monotonic": {"total_day_minutes": "Increasing"},
                "params": {"HistGradientBoosting": {"max_iter": 20}},
            },
            "HistGradientBoosting",
            id="boosting with weights, constraints and a fixed parameter",
        ),
    ],
)
def test_every_algorithm_trains_and_is_served(
    job: Make, tmp_path: Path, training: dict[str, Any], algorithm: str
) -> None:
    report = train(job(training))
    assert report["bestParams"]["algorithm"] == algorithm
    answer = opened(report, tmp_path / "copy").predict(
        {"state": ["KS", None], "total_day_minutes": [300.0, None]}
    )
    assert np.allclose(answer.probabilities.sum(axis=1), 1)


def test_a_monotonic_feature_only_ever_raises_the_probability(job: Make, tmp_path: Path) -> None:
    report = train(
        job({"algorithms": ["HistGradientBoosting"], "monotonic": {"total_day_minutes": "Increasing"}})
    )
    answer = opened(report, tmp_path / "copy").predict(
        {"total_day_minutes": [float(x) for x in range(0, 360, 5)]}
    )
    assert (np.diff(answer.probabilities[:, 1]) >= -1e-7).all()


def test_a_user_space_is_searched(job: Make) -> None:
    space = {"LogisticRegression": {"C": {"low": 7.0, "high": 7.5}}}
    report = train(job({"tuning": {"trials": 2, "space": space}}))
    assert 7.0 <= report["bestParams"]["C"] <= 7.5


@pytest.mark.parametrize("algorithm", ["LogisticRegression", "HistGradientBoosting"])
def test_dates_tell_the_weekday(job: Make, tmp_path: Path, algorithm: str) -> None:
    days = pandas.date_range("2025-01-01", periods=700, freq="19h")
    noise = np.random.default_rng(3).random(700)
    rows = pandas.DataFrame({"row": range(700), "at": days, "closed": (days.dayofweek == 6) | (noise < 0.05)})
    rows.loc[5, "at"] = pandas.NaT
    rows.to_parquet(tmp_path / "days.parquet")
    data = {"uri": str(tmp_path / "days.parquet"), "target": "closed", "key": "row"}
    report = train(job({"algorithms": [algorithm]}, data))
    assert report["metrics"]["test"]["rocAuc"] > 0.75
    answer = opened(report, tmp_path / "copy").predict(
        {"at": ["2026-03-01T12:00:00Z", "2026-03-04T12:00:00Z", None]}
    )
    assert answer.labels.tolist() == [True, False, False]
