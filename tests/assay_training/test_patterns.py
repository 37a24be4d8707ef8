"""Design patterns: a band without an opinion, and a regression learned as a distribution over bins."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_artifact import fetch, load
from assay_serving.codec.answers import AnswerWriter
from assay_training.data.target import Target, binned
from assay_training.errors import JobError
from assay_training.evaluation.metrics import METRICS, Context, Predicted, measured
from assay_training.job.training import train
from assay_training.spec import Job

Make = Callable[..., Job]


def test_a_neutral_band_reports_coverage_and_the_accuracy_outside_it(job: Make, tmp_path: Path) -> None:
    gates = [{"metric": "coverage", "min": 0.3}, {"metric": "decidedAccuracy", "min": 0.8}]
    report = train(job({"neutral": {"low": 0.1, "high": 0.5}}, gates=gates))
    test = report["metrics"]["test"]
    assert report["passed"], report["gates"]
    assert test["coverage"] < 0.95
    assert test["decidedAccuracy"] > test["accuracy"]
    manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
    assert manifest.neutral is not None
    assert (manifest.neutral.low, manifest.neutral.high) == (0.1, 0.5)


def test_a_predictor_says_that_it_has_no_opinion(job: Make, tmp_path: Path) -> None:
    report = train(job({"neutral": {"low": 0.1, "high": 0.5}}))
    manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
    predictor = load(tmp_path / "copy", manifest)
    same = {"state": "KS", "international_plan": "no", "number_customer_service_calls": 2}
    rows = pandas.DataFrame({"total_day_minutes": range(0, 400, 8)}).assign(**same)
    answer = orjson.loads(AnswerWriter(manifest, "churn", "churn-1").write(predictor.predict(rows), "id", []))
    assert answer["neutral"] == {"low": 0.1, "high": 0.5, "positive": "yes"}
    for one in answer["predictions"]:
        inside = 0.1 <= one["probabilities"]["yes"] < 0.5
        assert one.get("neutral", False) == inside
        assert (one["label"] is None) == inside
    assert 0 < sum(one.get("neutral", False) for one in answer["predictions"]) < 50


def test_without_a_band_nobody_speaks_of_coverage(job: Make) -> None:
    with pytest.raises(JobError, match="coverage") as refusal:
        train(job(gates=[{"metric": "coverage", "min": 0.5}]))
    assert refusal.value.reason == "MetricUnfit"


def test_coverage_is_the_share_outside_the_band() -> None:
    shares = np.array([0.05, 0.2, 0.4, 0.6, 0.9])
    probabilities = np.column_stack([1 - shares, shares])
    target = Target(np.array([0, 1, 1, 0, 1]), ("no", "yes"), 1, neutral=(0.2, 0.6))
    context = Context(target, Predicted(probabilities.argmax(axis=1), probabilities, None))
    assert measured(context, ("coverage", "decidedAccuracy")) == {
        "coverage": pytest.approx(3 / 5),
        "decidedAccuracy": pytest.approx(2 / 3),
    }
    assert not METRICS["coverage"].fits(target._replace(neutral=None))


@pytest.mark.slow
def test_bikes_as_a_distribution_over_bins_and_back(
    job: Make, bikes: pandas.DataFrame, tmp_path: Path
) -> None:
    rows = bikes
    path = tmp_path / "bikes.parquet"
    rows.rename_axis("row").reset_index().to_parquet(path)
    data = {"uri": str(path), "target": "bikers", "key": "row"}
    block = {"algorithms": ["HistGradientBoosting"], "reframing": {"bins": 12}, "split": {"folds": 2}}
    block["params"] = {"HistGradientBoosting": {"max_iter": 30}}
    report = train(job(block, data, task="Regression", gates=[{"metric": "r2", "min": 0.6}]))
    assert report["passed"], report["gates"]
    manifest = fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
    assert manifest.bins is not None
    answer = load(tmp_path / "copy", manifest).predict(rows.head(20))
    assert answer.distribution is not None
    assert answer.distribution.shape == (20, len(manifest.bins))
    means = np.array([each.mean for each in manifest.bins])
    np.testing.assert_allclose(np.asarray(answer.distribution @ means), np.asarray(answer.values))
    written = orjson.loads(AnswerWriter(manifest, "bikes", "bikes-1").write(answer, "id", []))
    assert written["bins"][0]["low"] is None
    assert len(written["predictions"][0]["distribution"]) == len(manifest.bins)


@given(st.lists(st.integers(-50, 50), min_size=20, max_size=200), st.integers(2, 20))
def test_every_bin_has_rows_and_their_mean(values: list[int], count: int) -> None:
    numbers = np.array(values, dtype=np.float64)
    bins = binned(numbers, count)
    codes = bins.of(numbers)
    assert len(bins.means) == len(bins.edges) + 1 <= count
    assert set(codes.tolist()) == set(range(len(bins.means)))
    for code, mean in enumerate(bins.means):
        assert numbers[codes == code].mean() == pytest.approx(mean)


def test_reframing_a_classification_is_refused(job: Make) -> None:
    with pytest.raises(JobError, match="for regressions"):
        train(job({"reframing": {"bins": 5}}))


def test_a_precision_that_a_leak_makes_possible_is_a_gate_and_the_leak_a_finding(
    job: Make, file: Path
) -> None:
    """The column that says it all but for a few rows makes any precision; without it there is no support."""
    wanted = {"threshold": {"prefer": "precision", "atLeast": 0.8}}
    with pytest.raises(JobError, match="out of fold at most") as refusal:
        train(job(wanted))
    assert refusal.value.reason == "ThresholdUnreachable"
    rows = pandas.read_csv(file)
    late = rows.index.isin(rows.index[rows.churn == "yes"][:2])
    closed = rows.churn.mask(late, "no").map({"yes": "closed", "no": "open"})
    rows.assign(account=closed).to_csv(file, index=False)
    report = train(job(wanted, number=2))
    assert [gate["rule"] for gate in report["gates"]] == ["threshold 0.8"]
    assert report["passed"]
    (leak,) = [finding for finding in report["findings"] if finding["reason"] == "NearLeak"]
    assert "'account'" in leak["message"]
