"""Shares of features must add up to what they explain, and be right where that can be computed otherwise."""

from itertools import permutations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay_artifact import Table, fetch, from_columns, load
from assay_serving.inference.explanation import Explainer, Rows


def explainer(churn: Any, folder: Path, name: str, sample_rows: int = 60) -> Explainer:
    there = churn.written(folder / "store", name)
    predictor = load(folder / "copy", fetch(there.uri, there.digest, folder / "copy"))
    sample = from_columns(churn.raw(sample_rows, seed=9), churn.FEATURES)
    return Explainer(predictor, sample, lambda rows: 1e-6 * rows)


def table(churn: Any, rows: int = 5) -> Table:
    return from_columns(churn.raw(rows, seed=8), churn.FEATURES)


@pytest.mark.parametrize("name", ["logistic", "forest", "boosting", "ridge", "boosted-regression"])
def test_shares_add_up_to_score_minus_base(churn: Any, tmp_path: Path, name: str) -> None:
    found = explainer(churn, tmp_path, name)(table(churn), [0] * 5, seconds=0.1)
    np.testing.assert_allclose(found.contributions.sum(axis=1), found.scores - found.base, atol=1e-9)
    assert found.exact is (name in {"logistic", "ridge"})


def test_shares_of_a_linear_model_are_exact(churn: Any, tmp_path: Path) -> None:
    explain, rows = explainer(churn, tmp_path, "ridge"), table(churn)
    found = explain(rows, [0] * 5, seconds=0.1)
    for position, feature in enumerate(churn.FEATURES):
        frame, sample = churn.raw(5, seed=8), churn.raw(60, seed=9)
        for row in range(5):
            moved = churn.table(sample.assign(**{feature.name: frame[feature.name].iloc[row]}))
            plain = churn.fitted("ridge").predict(churn.table(sample))
            expected = (churn.fitted("ridge").predict(moved) - plain).mean()
            assert found.contributions[row, position] == pytest.approx(expected, abs=1e-9)


def shapley(explain: Explainer, row: Rows) -> np.ndarray:
    """Every order of the features against the first background row."""
    total, width = np.zeros(explain.width), explain.width
    for order in permutations(range(width)):
        total += explain._walked(row, 0, 0, np.array([0]), np.array([order]))
    return total / factorial(width)


@pytest.mark.parametrize("name", ["forest", "boosting"])
def test_sampled_shares_approach_those_of_all_orders(churn: Any, tmp_path: Path, name: str) -> None:
    explain, rows = explainer(churn, tmp_path, name, sample_rows=1), table(churn, 1)
    found = explain(rows, [0], seconds=60.0)
    truth = shapley(explain, Rows.of(rows))
    assert found.walks == 400
    np.testing.assert_allclose(found.contributions[0], truth, atol=0.1 * np.abs(truth).max())


def test_http_explains_the_positive_class(logistic: Any) -> None:
    row = {"age": 80, "plan": "pro", "spend": 3.5, "région": "n", "active": True}
    answer = logistic.ask("/explain", json=[row, {"age": 20}]).json()
    assert (answer["space"], answer["exact"]) == ("log-odds", True)
    for one in answer["explanations"]:
        assert one["label"] == "stays"
        assert sum(one["contributions"].values()) == pytest.approx(one["score"] - one["base"], abs=1e-9)
    old, young = (one["contributions"]["age"] for one in answer["explanations"])
    assert old > 0 > young


def test_too_many_rows_to_explain_are_refused(logistic: Any) -> None:
    assert logistic.ask("/explain", json=[{"age": 1}] * 101).status_code == 413


def test_the_openapi_document_names_every_route_and_column(logistic: Any) -> None:
    document = logistic.get("/openapi.json").json()
    assert {"/predict", "/explain", "/schema", "/v2/models/{name}/infer"} <= document["paths"].keys()
    assert "région" in document["components"]["schemas"]["Row"]["properties"]
    for path, routes in document["paths"].items():
        if "get" in routes:
            assert logistic.get(path.replace("{name}", "churn")).status_code == 200
