"""Estimators of XGBoost and LightGBM: real fits, raw labels in and out, and the very answers when served."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from sklearn.metrics import roc_auc_score

from assay_artifact import Predictor, fetch, load
from assay_training.job.report import Report
from assay_training.job.training import train
from assay_training.spec import Job

Make = Callable[..., Job]

XGBOOST = {"import": "xgboost.XGBClassifier", "params": {"n_estimators": 30, "max_depth": 3}}
LIGHTGBM = {"import": "lightgbm.LGBMClassifier", "params": {"n_estimators": 30, "verbose": -1}}
BOOSTERS = [pytest.param(XGBOOST, id="XGBoost"), pytest.param(LIGHTGBM, id="LightGBM")]


def opened(report: Report, into: Path) -> Predictor:
    manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], into)
    return load(into, manifest)


@pytest.mark.parametrize("style", ["linear", "boosting"])
@pytest.mark.parametrize("estimator", BOOSTERS)
def test_words_as_labels_and_raw_rows_are_learned_and_served(
    job: Make, file: Path, tmp_path: Path, estimator: dict[str, Any], style: str
) -> None:
    report = train(job({"estimator": {**estimator, "style": style}}))
    served = opened(report, tmp_path / "copy")
    rows = pandas.read_csv(file)
    answer = served.predict(rows)
    assert set(np.asarray(answer.labels)) == {"no", "yes"}
    assert roc_auc_score(rows.churn == "yes", np.asarray(answer.probabilities)[:, 1]) > 0.85
    assert report["metrics"]["test"]["rocAuc"] > 0.6
    nulls = served.predict({"state": ["KS", None], "total_day_minutes": [300.0, None]})
    assert np.allclose(np.asarray(nulls.probabilities).sum(axis=1), 1)


@pytest.mark.parametrize("estimator", BOOSTERS)
def test_three_classes_and_awkward_names_of_columns(
    job: Make, tmp_path: Path, estimator: dict[str, Any]
) -> None:
    rng = np.random.default_rng(5)
    rows = pandas.DataFrame(rng.normal(size=(600, 3)), columns=["size [cm]", "is<5", 'a "b", {c}:'])
    rows["kind"] = np.select([rows["size [cm]"] > 0.5, rows["is<5"] > 0], ["long", "high"], "small")
    rows.rename_axis("row").reset_index().to_parquet(tmp_path / "kinds.parquet")
    data = {"uri": str(tmp_path / "kinds.parquet"), "target": "kind", "key": "row"}
    report = train(job({"estimator": {**estimator, "style": "boosting"}}, data))
    answer = opened(report, tmp_path / "copy").predict(rows)
    assert (answer.labels == rows.kind).mean() > 0.95


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        pytest.param("xgboost.XGBRegressor", {"n_estimators": 40}, id="XGBoost"),
        pytest.param("lightgbm.LGBMRegressor", {"n_estimators": 40, "verbose": -1}, id="LightGBM"),
    ],
)
def test_a_regression(
    job: Make, bikes: pandas.DataFrame, tmp_path: Path, estimator: str, params: dict[str, Any]
) -> None:
    bikes.rename_axis("row").reset_index().to_parquet(tmp_path / "bikes.parquet")
    data = {"uri": str(tmp_path / "bikes.parquet"), "target": "bikers", "key": "row"}
    training = {"estimator": {"import": estimator, "params": params, "style": "boosting"}}
    report = train(job(training, data, task="Regression"))
    assert report["metrics"]["test"]["r2"] > 0.7
    answer = opened(report, tmp_path / "copy").predict(bikes.head(5))
    assert np.asarray(answer.values).shape == (5,)


@pytest.mark.parametrize("estimator", BOOSTERS)
def test_the_same_job_gives_the_same_bytes(job: Make, estimator: dict[str, Any]) -> None:
    again = train(job({"estimator": estimator})), train(job({"estimator": estimator}, path="elsewhere"))
    assert again[0]["artifact"]["digest"] == again[1]["artifact"]["digest"]
