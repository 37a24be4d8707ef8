"""Exact sums: order does not matter, and nothing cancels."""

import math

from hypothesis import given
from hypothesis import strategies as st

from assay_collector.attribution.moments import Moments, exact

finite = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e15, max_value=1e15)


@given(st.lists(finite))
def test_the_sum_is_the_exact_sum_rounded_once(values: list[float]) -> None:
    moments = Moments()
    for value in values:
        moments = moments.plus({value: 1})
    assert moments.n == len(values)
    assert moments.sum == math.fsum(values)


@given(st.lists(finite), st.lists(finite), st.randoms(use_true_random=False))
def test_what_is_taken_back_leaves_no_trace(kept: list[float], gone: list[float], dice: object) -> None:
    steps = [(value, 1) for value in kept + gone] + [(value, -1) for value in gone]
    dice.shuffle(steps)  # type: ignore[attr-defined]
    moments = Moments()
    for value, times in steps:
        moments = moments.plus({value: times})
    expected = Moments()
    for value in kept:
        expected = expected.plus({value: 1})
    assert moments == expected


def test_the_spread_of_values_near_1e8_survives() -> None:
    values = [1e8 + each for each in (0.0, 0.5, 1.0)]
    moments = Moments().plus(dict.fromkeys(values, 1))
    assert moments.m2 == 0.5
    assert moments.sumsq - moments.sum**2 / 3 != 0.5, "the textbook formula is why m2 exists"


def test_an_empty_set_has_no_spread() -> None:
    assert Moments().m2 == 0.0


@given(finite)
def test_every_float_is_a_whole_number_of_the_smallest(value: float) -> None:
    assert exact(value) / (1 << 1074) == value
