"""Sums merge in any order and refuse what no data can have."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_stats import Moments, PairMoments
from assay_stats.ratio import cuped, cuped_ratio, ratio_arm

NUMBERS = st.integers(-1000, 1000).map(float)
VALUES = st.lists(NUMBERS, max_size=40)
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30)


@given(VALUES, VALUES, VALUES)
def test_merging_is_associative_and_commutative(a: list[float], b: list[float], c: list[float]) -> None:
    x, y, z = (Moments.of(values) for values in (a, b, c))
    assert x.merge(y).merge(z) == x.merge(y.merge(z)) == z.merge(x).merge(y)


@given(PAIRS, PAIRS)
def test_any_partition_of_pairs_merges_to_the_whole(
    a: list[tuple[float, float]], b: list[tuple[float, float]]
) -> None:
    assert PairMoments.of(a).merge(PairMoments.of(b)) == PairMoments.of(a + b)


@given(st.permutations([3.25, -1.5, 0.0, 8.0, 8.0, 2.5]))
def test_the_order_of_events_does_not_matter(values: list[float]) -> None:
    assert Moments.of(values) == Moments.of(sorted(values))


@given(st.lists(NUMBERS, min_size=2, max_size=40), st.floats(0.1, 10), st.floats(-100, 100))
def test_scaling_and_shifting_data_scales_and_shifts_estimates(
    values: list[float], a: float, b: float
) -> None:
    plain, moved = Moments.of(values), Moments.of(a * value + b for value in values)
    assert moved.mean == pytest.approx(a * plain.mean + b, abs=1e-6)
    assert moved.variance == pytest.approx(a * a * plain.variance, rel=1e-6, abs=1e-4)


def test_a_frozen_shift_keeps_the_variance_of_values_far_from_zero() -> None:
    values = 1e8 + np.random.default_rng(1).normal(0, 0.84, 10_000)
    assert Moments.of(values, shift=1e8).variance == pytest.approx(np.var(values, ddof=1), rel=1e-6)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0]], ids=["none", "one", "equal"])
def test_too_little_to_vary_is_no_variance(values: list[float]) -> None:
    assert Moments.of(values).variance == 0


def test_huge_counts_stay_finite() -> None:
    sums = Moments.proportion(10**15, 10**13)
    assert sums.binary_variance == pytest.approx(0.0099)
    assert math.isfinite(sums.variance)


@pytest.mark.parametrize(
    ("sums", "word"),
    [
        pytest.param(Moments(-1, 0), "n", id="a negative count"),
        pytest.param(Moments(3, math.nan, 1), "total", id="a total that is no number"),
        pytest.param(Moments(3, 1, math.inf), "squares", id="infinite squares"),
        pytest.param(Moments(3, 1, -1), "squares", id="negative squares"),
        pytest.param(Moments(0, 5, 5), "total", id="a total of nobody"),
    ],
)
def test_sums_that_no_data_can_have_are_refused(sums: Moments, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        sums.checked()


@pytest.mark.parametrize("events", [-1, 11, math.nan])
def test_a_proportion_has_no_more_events_than_units(events: float) -> None:
    with pytest.raises(ValueError, match="total"):
        Moments(10, events).checked_proportion()


def test_different_shifts_cannot_be_merged() -> None:
    with pytest.raises(ValueError, match="shift"):
        Moments.of([1], shift=1).merge(Moments.of([1], shift=2))


def test_a_ratio_is_that_of_the_linearised_rows() -> None:
    rng = np.random.default_rng(2)
    x = 1.0 + rng.poisson(3, 500)
    y = rng.binomial(x.astype(int), 0.3).astype(float)
    arm = ratio_arm(PairMoments.of(zip(y, x, strict=True)))
    ratio = y.sum() / x.sum()
    assert arm.mean == pytest.approx(ratio)
    assert arm.variance == pytest.approx(np.var((y - ratio * x) / x.mean(), ddof=1))


def test_cuped_is_the_regression_of_both_arms_together() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(5, 2, 400)
    y = 0.7 * x + rng.normal(0, 1, 400)
    arms = [PairMoments.of(zip(y[i::2], x[i::2], strict=True), shift_y=3, shift_x=5) for i in (0, 1)]
    found = cuped(*arms)
    theta = np.cov(y, x)[0, 1] / np.var(x, ddof=1)
    assert found.theta == pytest.approx(theta)
    adjusted = y - theta * x
    assert found.treatment.mean - found.control.mean == pytest.approx(
        adjusted[1::2].mean() - adjusted[::2].mean()
    )
    assert found.treatment.variance == pytest.approx(np.var(adjusted[1::2], ddof=1))
    assert 0.5 < found.removed < 0.8


def test_a_covariate_that_does_not_vary_adjusts_nothing() -> None:
    arms = [PairMoments.of([(1.0, 7.0), (2.0, 7.0)]), PairMoments.of([(2.0, 7.0), (5.0, 7.0)])]
    assert cuped(*arms).theta == 0


def test_a_ratio_needs_a_denominator() -> None:
    with pytest.raises(ValueError, match="denominator"):
        ratio_arm(PairMoments.of([(1.0, 0.0)]))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_growing_data_only_adds(values: list[float]) -> None:
    totals = [Moments.of(values[:k]).total for k in range(len(values) + 1)]
    assert all(b >= a for a, b in pairwise(totals))


def test_cuped_on_a_ratio_is_cuped_on_its_linearised_rows() -> None:
    """With R0 frozen beforehand, y - R0 x is an ordinary value with a covariate."""
    rng = np.random.default_rng(4)
    x = 1.0 + rng.poisson(3, 2000)
    before = rng.normal(0, 1, 2000)
    y = 0.3 * x + 0.5 * before + rng.normal(0, 0.2, 2000)
    linear = y - 0.3 * x
    arms = [PairMoments.of(zip(linear[i::2], before[i::2], strict=True)) for i in (0, 1)]
    theta = cuped(*arms).theta
    below = [float(x[i::2].mean()) for i in (0, 1)]
    control, treatment = cuped_ratio((arms[0], below[0]), (arms[1], below[1]), theta)
    rows = linear - theta * (before - before.mean())
    assert control.mean == pytest.approx(rows[::2].mean() / below[0])
    assert treatment.variance == pytest.approx(np.var(rows[1::2], ddof=1) / below[1] ** 2)
    assert treatment.variance < 0.2 * np.var(linear[1::2]) / below[1] ** 2
