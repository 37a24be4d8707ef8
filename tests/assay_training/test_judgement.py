"""Metrics, thresholds, gates and findings: against the library, against definitions, and at their edges."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from assay_artifact import fetch, load
from assay_training.data.target import Target
from assay_training.errors import JobError
from assay_training.evaluation.bootstrap import advantages, interval
from assay_training.evaluation.gates import Facts, judge
from assay_training.evaluation.metrics import METRICS, Context, Predicted, measured
from assay_training.evaluation.threshold import curve, decided, promise
from assay_training.fitting.candidates import Examples
from assay_training.job.training import train
from assay_training.reporting.findings import Fit, of_balance, of_fit, of_leaks, suspects
from assay_training.spec import Gate, Job, Threshold

Make = Callable[..., Job]
RNG = np.random.default_rng(5)


def binary(truth: list[int], scores: list[float], threshold: float | None = None) -> Context:
    target = Target(np.array(truth), ("no", "yes"), 1, threshold)
    probabilities = np.column_stack([1 - np.array(scores), scores])
    return Context(target, Predicted(target.decided(probabilities), probabilities, None))


def noisy(rows: int, noise: float, seed: int = 2, strength: float = 1.5) -> Context:
    truth = (np.random.default_rng(1).random(rows) < 0.3).astype(int)
    logits = strength * (2 * truth - 1) + np.random.default_rng(seed).normal(0, noise, rows)
    scores = 1 / (1 + np.exp(-logits))
    return binary(truth.tolist(), scores.tolist())


def test_binary_metrics_by_hand() -> None:
    found = measured(binary([1, 1, 0, 0], [0.9, 0.4, 0.6, 0.1]))
    assert found["recall"] == found["precision"] == found["accuracy"] == found["f1"] == 0.5
    assert found["mcc"] == 0
    assert found["rocAuc"] == 0.75
    assert found["brier"] == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)
    assert found["logLoss"] == pytest.approx(-np.log([0.9, 0.4, 0.4, 0.9]).mean())
    assert found["calibrationError"] == pytest.approx((0.1 + 0.6 + 0.6 + 0.1) / 4)


def test_a_calibrated_model_has_little_calibration_error() -> None:
    scores = RNG.random(50_000)
    found = measured(binary((RNG.random(50_000) < scores).astype(int).tolist(), scores.tolist()))
    assert found["calibrationError"] < 0.01


def test_the_positive_class_is_the_one_that_was_named() -> None:
    truth, scores = np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    target = Target(truth, ("no", "yes"), 0)
    found = measured(Context(target, Predicted(target.decided(scores), scores, None)))
    assert (found["recall"], found["precision"]) == (0.5, 1.0)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=4, max_size=80),
    st.sampled_from(["recall", "precision"]),
    st.floats(0.05, 0.95),
)
def test_a_threshold_keeps_its_promise_on_the_rows_it_was_chosen_on(rows: Any, prefer: Any, bar: Any) -> None:
    truth = np.array([int(hit) for hit, _ in rows] + [0, 1])
    context = binary(truth.tolist(), [score for _, score in rows] + [0.0, 1.0])
    wanted = Threshold(prefer=prefer, at_least=bar)
    score = {"recall": recall_score, "precision": precision_score}[prefer]
    try:
        target = decided(wanted, context.target, context.predicted)
    except JobError:
        scores = np.asarray(context.predicted.probabilities)[:, context.target.positive]
        reached = [bound for bound in set(scores) if score(truth, scores >= bound) >= bar]
        assert all(prefer == "precision" and not supported(truth, scores >= b, bar) for b in reached)
        return
    assert score(truth, target.decided(np.asarray(context.predicted.probabilities))) >= bar


def supported(truth: Any, above: Any, bar: float) -> bool:
    """Whether the rows above are far too good for a precision of `bar`, by an exact test of one threshold."""
    hits, rows = int(truth[above].sum()), int(above.sum())
    return bool(stats.binomtest(hits, rows, bar, alternative="greater").pvalue < 1e-3)


def test_one_lucky_row_is_no_precision() -> None:
    """Of 4,652 rows the best one is a hit, and the next ones are not."""
    truth = np.zeros(4652, np.int64)
    truth[::16] = 1
    scores = np.linspace(0, 0.5, 4652)
    scores[16] = 0.9
    context = binary(truth.tolist(), scores.tolist())
    with pytest.raises(JobError, match=r"at most 1 is reached on 1 rows, and nowhere on so many") as refusal:
        decided(Threshold(prefer="precision", at_least=0.8), context.target, context.predicted)
    assert refusal.value.reason == "ThresholdUnreachable"


def test_a_precision_is_supported_by_many_rows_and_then_the_highest_recall_is_taken() -> None:
    truth = np.array([1] * 95 + [0] * 5 + [1] * 40 + [0] * 60 + [0] * 800)
    scores = np.repeat([0.9, 0.6, 0.1], [100, 100, 800])
    context = binary(truth.tolist(), scores.tolist())
    for bar, threshold in ((0.8, 0.9), (0.5, 0.6)):
        found = decided(Threshold(prefer="precision", at_least=bar), context.target, context.predicted)
        assert found.threshold == threshold
    with pytest.raises(JobError, match=r"at most 0\.95 is reached on 100 rows"):
        decided(Threshold(prefer="precision", at_least=0.93), context.target, context.predicted)


def test_a_supported_precision_is_rarely_a_false_one() -> None:
    """Scores without any meaning: no threshold of any of 300 data sets seems better than the base rate."""
    rng, found = np.random.default_rng(4), 0
    for _ in range(300):
        rows = curve(rng.random(1000) < 0.3, rng.random(1000))
        found += bool(rows.supports(0.35).any())
    assert found <= 0.05 * 300 + 3 * np.sqrt(0.05 * 0.95 * 300)


@pytest.mark.parametrize(
    ("band", "threshold"),
    [((0.0, 1.0), 0.9), ((0.5, 0.7), 0.6), ((0.85, 0.95), 0.9), ((0.6, 0.6), 0.6)],
)
def test_the_neutral_band_has_the_threshold_in_it(band: tuple[float, float], threshold: float) -> None:
    truth = [1] * 60 + [0] * 2 + [1] * 30 + [0] * 20 + [0] * 300
    scores = [0.9] * 62 + [0.6] * 50 + [0.1] * 300
    context = binary(truth, scores)
    wanted = Threshold(prefer="recall", at_least=0.6)
    assert decided(wanted, context.target._replace(neutral=band), context.predicted).threshold == threshold
    with pytest.raises(JobError, match=r"reached only by thresholds outside of training\.neutral, 0\.2"):
        decided(wanted, context.target._replace(neutral=(0.2, 0.4)), context.predicted)


@pytest.mark.parametrize(
    ("prefer", "truth", "above", "passed"),
    [
        pytest.param("precision", 0, 0, False, id="nothing is ever positive"),
        pytest.param("precision", 0, 5, False, id="five rows, none right"),
        pytest.param("precision", 18, 20, True, id="as promised"),
        pytest.param("precision", 8, 20, False, id="half as good"),
        pytest.param("recall", 18, 20, True, id="nine of ten, of ten"),
        pytest.param("recall", 4, 20, False, id="a fifth"),
    ],
)
def test_the_threshold_is_a_gate_on_the_test_rows(
    prefer: Any,
    truth: int,
    above: int,
    passed: bool,  # noqa: FBT001
) -> None:
    if prefer == "precision":
        labels, scores = [1] * truth + [0] * (above - truth) + [1, 0], [0.9] * above + [0.1, 0.1]
    else:
        labels, scores = [1] * above + [0] * 5, [0.9] * truth + [0.1] * (above - truth + 5)
    (verdict,) = promise(Threshold(prefer=prefer, at_least=0.9), binary(labels, scores, 0.5))
    assert (verdict.metric, verdict.rule, verdict.passed) == (prefer, "threshold 0.9", passed)
    assert not list(promise(None, binary(labels, scores, 0.5)))


def leaky(**columns: Any) -> Examples:
    rows = len(next(iter(columns.values())))
    truth = (np.arange(rows) % 7 == 0).astype(np.int64)
    return Examples(pandas.DataFrame(columns), Target(truth, ("no", "yes"), 1))


@pytest.mark.parametrize(
    ("column", "named"),
    [
        pytest.param(lambda truth, rng: truth + 0.01 * rng.random(len(truth)), True, id="a copy with noise"),
        pytest.param(lambda truth, _: np.where(truth == 1, "left", "stays"), True, id="a copy in words"),
        pytest.param(
            lambda truth, rng: np.where(rng.random(len(truth)) < 0.004, 1 - truth, truth), True, id="99.6 %"
        ),
        pytest.param(
            lambda truth, rng: np.where(rng.random(len(truth)) < 0.05, 1 - truth, truth), False, id="95 %"
        ),
        pytest.param(lambda truth, rng: rng.random(len(truth)), False, id="noise"),
        pytest.param(
            lambda truth, _: [f"customer {i}" for i in range(len(truth))], False, id="names of rows"
        ),
        pytest.param(lambda truth, _: np.full(len(truth), np.nan), False, id="nothing at all"),
        pytest.param(lambda truth, _: np.where(truth == 1, np.nan, 3.0), True, id="null where it happened"),
    ],
)
def test_a_column_that_tells_the_target_alone_is_a_finding(column: Any, named: bool) -> None:  # noqa: FBT001
    rng, truth = np.random.default_rng(3), (np.arange(2100) % 7 == 0).astype(np.int64)
    found = list(of_leaks(leaky(noise=rng.random(2100), odd=column(truth, rng)), "churn"))
    assert [finding.reason for finding in found] == ["NearLeak"] * named
    assert not named or "'odd'" in found[0].message


def test_a_number_that_is_the_target_in_another_unit_and_rounded_is_a_finding() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0, 1, 3000)
    frame = pandas.DataFrame({"euros": (values * 1.1).round(1), "age": values + rng.normal(0, 1, 3000)})
    (found,) = of_leaks(Examples(frame, Target(values, None, None)), "dollars")
    assert "'euros'" in found.message
    assert "'age'" not in found.message


def test_a_threshold_out_of_reach_says_what_is_reached() -> None:
    context = binary([1, 0] * 20, [0.5] * 40)
    with pytest.raises(JobError, match=r"at most 0\.5 is reached") as refusal:
        decided(Threshold(prefer="precision", at_least=0.9), context.target, context.predicted)
    assert refusal.value.reason == "ThresholdUnreachable"


def test_the_predictor_decides_by_the_threshold(job: Make, tmp_path: Path) -> None:
    plain = train(job())
    eager = train(job({"threshold": {"prefer": "recall", "atLeast": 0.9}}, number=2))
    assert (
        eager["metrics"]["crossValidation"]["recall"] > 0.85 > plain["metrics"]["crossValidation"]["recall"]
    )
    found = load(
        tmp_path / "copy", fetch(eager["artifact"]["uri"], eager["artifact"]["digest"], tmp_path / "copy")
    )
    rows = {"state": ["KS"] * 40, "number_customer_service_calls": [*range(40)]}
    answer = found.predict(rows)
    assert found.manifest.threshold is not None
    sure = np.asarray(answer.probabilities)[:, 1] >= found.manifest.threshold
    assert (np.asarray(answer.labels) == np.where(sure, "yes", "no")).all()


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    hits, runs = 0, 150
    for number in range(runs):
        truth = (np.random.default_rng(number).random(200) < 0.8).astype(int)
        low, high = interval(METRICS["accuracy"], binary(truth.tolist(), [0.9] * 200), seed=number)
        hits += low <= 0.8 <= high
    assert 0.88 <= hits / runs <= 0.99


def test_a_pair_is_compared_on_the_same_resamples() -> None:
    better, worse = noisy(500, noise=0.5), noisy(500, noise=3)
    found = advantages(METRICS["rocAuc"], better, worse, seed=0)
    assert (found > 0).all()
    assert (advantages(METRICS["logLoss"], better, worse, seed=0) > 0).all()
    assert (advantages(METRICS["rocAuc"], better, better, seed=0) == 0).all()


@pytest.mark.parametrize(
    ("gate", "passed", "words"),
    [
        pytest.param(Gate(metric="rocAuc", min=0.5), True, ">= 0.5", id="above a minimum"),
        pytest.param(Gate(metric="logLoss", max=0.01), False, "> 0.01", id="above a maximum"),
        pytest.param(
            Gate(metric="rocAuc", not_worse_than_champion_by=0.5),
            True,
            "within 0.5",
            id="within a wide margin",
        ),
        pytest.param(
            Gate(metric="rocAuc", not_worse_than_champion_by=0.0),
            False,
            "not within 0",
            id="without a margin",
        ),
        pytest.param(
            Gate(metric="logLoss", not_worse_than_champion_by=0.0),
            False,
            "better by -",
            id="a loss is turned",
        ),
        pytest.param(Gate(metric="latencyMs", max=5), True, "latencyMs 3 <= 5", id="quick enough"),
        pytest.param(Gate(metric="artifactBytes", max=5), False, "artifactBytes 9 > 5", id="too large"),
    ],
)
def test_gates_say_the_number_and_the_bar(gate: Gate, passed: object, words: str) -> None:
    facts = Facts(noisy(500, noise=3), noisy(500, noise=2.5), serving={"latencyMs": 3, "artifactBytes": 9})
    (verdict,) = judge([gate], facts)
    assert verdict.passed is passed
    assert words in verdict.message


def test_confidence_wants_more_than_a_lucky_draw() -> None:
    alike = Facts(noisy(200, noise=2, seed=3), noisy(200, noise=2, seed=4))
    margin = {"metric": "rocAuc", "not_worse_than_champion_by": 0.07}
    drawn, shown = judge([Gate(**margin), Gate(**margin, confidence=0.99)], alike)
    assert drawn.passed
    assert not shown.passed
    assert "with 99% confidence" in shown.message


def test_the_worst_slice_decides_and_small_slices_are_told() -> None:
    context = noisy(400, noise=0.5)
    spoiled = np.array(context.predicted.probabilities)
    spoiled[300:] = spoiled[300:, ::-1]
    answers = Predicted(context.target.decided(spoiled), spoiled, None)
    column = np.array(["north"] * 300 + ["south"] * 90 + ["pole"] * 10)
    facts = Facts(Context(context.target, answers), slices={"region": column})
    whole, sliced = judge(
        [Gate(metric="accuracy", min=0.6), Gate(metric="accuracy", min=0.6, slice="region")], facts
    )
    assert whole.passed
    assert not sliced.passed
    assert "in region 'south', the worst of 2; 1 are too small" in sliced.message


def test_slices_come_from_any_column_of_the_data(job: Make, file: Path) -> None:
    rows = pandas.read_csv(file).assign(half=lambda rows: rows.customer_id % 2)
    rows.to_csv(file, index=False)
    gates = [{"metric": "accuracy", "min": 0.5, "slice": "half"}]
    report = train(job({"features": {"numeric": ["total_day_minutes"]}}, gates=gates))
    assert "in half" in report["gates"][0]["message"]
    with pytest.raises(JobError, match="slice by 'moon'"):
        train(job({}, gates=[{"metric": "accuracy", "min": 0.5, "slice": "moon"}]))


@pytest.mark.parametrize(
    ("fit", "reasons"),
    [
        pytest.param(Fit("rocAuc", 1.0, 0.7, 0.5), ["Overfitting"], id="perfect at home, poor abroad"),
        pytest.param(Fit("rocAuc", 0.55, 0.54, 0.5), ["Underfitting"], id="poor everywhere"),
        pytest.param(Fit("rocAuc", 0.95, 0.91, 0.5), [], id="good everywhere"),
        pytest.param(Fit("rmse", 1.0, 8.0, 10.0), ["Overfitting"], id="a loss that grows"),
        pytest.param(Fit("rmse", 9.5, 9.6, 10.0), ["Underfitting"], id="a loss like that of the mean"),
    ],
)
def test_over_and_underfitting_are_told_apart(fit: Fit, reasons: list[str]) -> None:
    assert [finding.reason for finding in of_fit(fit)] == reasons


def test_accuracy_on_a_rare_class_is_warned_of() -> None:
    rare = Target(np.array([1] * 6 + [0] * 94), ("no", "yes"), 1)
    (finding,) = of_balance(rare, {"accuracy"})
    assert "always 'no' has accuracy 0.94" in finding.message
    assert not list(of_balance(rare, {"prAuc"}))


def test_turned_labels_are_suspected() -> None:
    context = noisy(1000, noise=0.3, strength=4)
    turned = np.zeros(1000, dtype=bool)
    turned[:20] = True
    labels = np.where(turned, 1 - context.truth, context.truth)
    found = suspects(context.target._replace(values=labels), context.predicted)
    assert found[turned].mean() > 0.9
    assert found[~turned].mean() < 0.01


def test_what_was_predicted_out_of_fold_is_kept_for_every_training_row(
    job: Make, file: Path, tmp_path: Path
) -> None:
    report = train(job())
    fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy")
    kept = pandas.read_parquet(tmp_path / "copy/out-of-fold.parquet")
    assert len(kept) == report["data"]["train"]
    rows = pandas.read_csv(file, dtype={"customer_id": str}).set_index("customer_id")
    assert (rows.churn[kept.key].to_numpy() == kept.truth.to_numpy()).all()
    assert np.allclose(kept["probability of no"] + kept["probability of yes"], 1)


def test_the_column_that_matters_is_the_most_important(job: Make, file: Path, tmp_path: Path) -> None:
    rows = pandas.read_csv(file)
    rows["hint"] = (rows.churn == "yes") + RNG.normal(0, 0.3, len(rows))
    rows.to_csv(file, index=False)
    report = train(job())
    weights = fetch(report["artifact"]["uri"], report["artifact"]["digest"], tmp_path / "copy").metadata[
        "importances"
    ]
    assert next(iter(weights)) == "hint"
    assert set(weights) == set(rows.columns) - {"customer_id", "churn"}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60))
def test_the_area_under_the_curve_is_that_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    hits, scores = np.array([hit for hit, _ in rows]), np.array([score / 6 for _, score in rows])
    context = Context(
        Target(hits.astype(np.int64), (0, 1), 1), Predicted(None, np.column_stack([1 - scores, scores]), None)
    )
    if hits.all() or not hits.any():
        assert np.isnan(METRICS["rocAuc"].measure(context))
    else:
        assert METRICS["rocAuc"].measure(context) == pytest.approx(roc_auc_score(hits, scores))


def test_an_interval_of_very_many_rows_is_as_wide_as_it_should_be(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=60_000)
    context = Context(Target(truth, None, None), Predicted(None, None, truth + rng.normal(size=60_000)))
    few = interval(METRICS["mae"], context, 0)
    monkeypatch.setattr("assay_training.evaluation.bootstrap.MOST", 60_000)
    all_of_them = interval(METRICS["mae"], context, 0)
    assert few.high - few.low == pytest.approx(all_of_them.high - all_of_them.low, rel=0.3)
    assert few.low < METRICS["mae"].measure(context) < few.high
