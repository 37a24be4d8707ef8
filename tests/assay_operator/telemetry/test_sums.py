"""Numbers of any source become evidence, or a word on why they cannot."""

from contextlib import nullcontext
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assay_api import Metric, Ref
from assay_operator.telemetry import NoData, Question, SourceError
from assay_operator.telemetry.collector import _summary
from assay_operator.telemetry.sums import Sums, moments, validated
from assay_stats import Moments

BINARY = [
    pytest.param(Sums(nan, 1), "not all numbers", id="NaN units"),
    pytest.param(Sums(inf, 1), "not all numbers", id="infinite units"),
    pytest.param(Sums(10, nan), "not all numbers", id="NaN events"),
    pytest.param(Sums(10, -inf), "not all numbers", id="events of minus infinity"),
    pytest.param(Sums(10, 10**400), "not all numbers", id="more than a float can hold"),
    pytest.param(Sums(-1, 0), "n -1 is not a count", id="less than no unit"),
    pytest.param(Sums(0, 3), "a sum of 3 without a unit", id="events of nobody"),
    pytest.param(Sums(10, 11), "sum 11 is not a number of events among 10", id="more events than units"),
    pytest.param(Sums(10, -1), "sum -1 is not a number of events", id="less than no event"),
    pytest.param(Sums(10, 1, shift=1), "a Proportion has no shift", id="a shift of zeros and ones"),
]
MEAN = [
    pytest.param(Sums(10, 1), "sum of squares or the variance", id="no squares"),
    pytest.param(Sums(10, 1, nan), "not all numbers", id="NaN squares"),
    pytest.param(Sums(10, 1, inf), "not all numbers", id="infinite squares"),
    pytest.param(Sums(10, 1, variance=nan), "not all numbers", id="a NaN variance"),
    pytest.param(Sums(10, 1, variance=-1e-9), "variance -1e-09 is negative", id="a negative variance"),
    pytest.param(Sums(10, 1, 5, shift=nan), "not all numbers", id="a NaN shift"),
    pytest.param(Sums(10, 1, -1), "sum of squares is -1", id="negative squares"),
    pytest.param(
        Sums(10, 100, 900), "squares is 900, and the sum demands at least 1000", id="too few squares"
    ),
    pytest.param(Sums(10, 100.5, 0), "the sum demands at least 1010", id="no squares at all"),
    pytest.param(Sums(4, 4e12, 4e24), "spread is lost beside a mean of 1e.12", id="a trillion as floats"),
    pytest.param(Sums(0, 0, 5), "without a unit", id="squares of nobody"),
    pytest.param(Sums(10, 1e300, 1e308), "not all numbers", id="too large to be squared"),
]


@pytest.mark.parametrize(("sums", "words"), BINARY)
def test_what_no_events_can_be_is_refused(sums: Sums, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        validated("b", sums, binary=True)


@pytest.mark.parametrize(("sums", "words"), MEAN)
def test_what_no_values_can_add_up_to_is_refused(sums: Sums, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        validated("b", sums, binary=False)


@pytest.mark.parametrize(
    ("sums", "mean", "variance"),
    [
        pytest.param(Sums(3, 15, 75), 5, 0, id="no spread in whole numbers is none"),
        pytest.param(Sums(3, 0, 0), 0, 0, id="nobody has paid"),
        pytest.param(Sums(2, 2e12, variance=2), 1e12, 2, id="a trillion with its variance"),
        pytest.param(Sums(2, 0, 2, shift=1e12), 1e12, 2, id="a trillion less a trillion"),
        pytest.param(Sums(2, 2 * 10**12, 2 * 10**24 + 2), 1e12, 2, id="a trillion in exact numbers"),
        pytest.param(Sums(1, 7, variance=0), 7, 0, id="one value"),
        pytest.param(Sums(10.4, 1040, 104010.4), 100, 10 / 9, id="extrapolated units keep the spread"),
    ],
)
def test_what_can_be_keeps_its_mean_and_its_spread(sums: Sums, mean: float, variance: float) -> None:
    found = validated("b", sums, binary=False)
    assert found.mean == pytest.approx(mean, rel=1e-15)
    assert found.variance == pytest.approx(variance, rel=1e-6, abs=1e-12)


def lost_in(sums: Sums) -> bool:
    """Whether it is refused; what for is looked at where this is asked."""
    try:
        validated("b", sums, binary=False)
    except SourceError:
        return True
    return False


values = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=40)


@given(values, st.sampled_from([0.0, 1e6, -1e9, 1e12]), st.sampled_from(["squares", "variance", "shift"]))
@example([0.0, 1.0], 1e12, "squares")
@example([0.1, 0.1, 0.1], 0.0, "squares")
def test_the_spread_of_any_values_is_kept_or_said_to_be_lost(x: list[float], far: float, how: str) -> None:
    """Never another one: what comes out has the variance of the values within a part of a thousand."""
    data = np.array(x) + far
    true = float(np.var(np.longdouble(data), ddof=1))
    about = data - far if how == "shift" else data
    sums = Sums(
        len(x),
        float(about.sum()),
        None if how == "variance" else float((about * about).sum()),
        true if how == "variance" else None,
        far if how == "shift" else 0,
    )
    lost = how != "variance" and true <= 1e-9 * float((about * about).mean())
    with pytest.raises(SourceError, match="spread is lost") if lost_in(sums) else nullcontext() as refused:
        found = validated("b", sums, binary=False)
    if refused:
        assert lost
        return
    assert found.variance == pytest.approx(true, rel=1e-3, abs=1e-9)


number = st.one_of(st.floats(), st.integers(-(10**30), 10**30), st.fractions())
anything = st.builds(Sums, number, number, st.none() | number, st.none() | number, number)


@given(anything, st.sampled_from(["Proportion", "Mean"]))
def test_whatever_a_source_says_it_is_sums_that_data_can_have_or_an_error(sums: Sums, kind: str) -> None:
    binary = kind == "Proportion"
    try:
        found = validated("b", sums, binary=binary)
    except SourceError:
        return
    found.checked_proportion() if binary else found.checked()
    assert found.variance >= 0
    assert np.isfinite([found.mean, found.variance]).all()
    assert found.squares - found.total**2 / max(found.n, 1) >= -1e-6 * found.squares


def question(dropped: str = "") -> Question:
    metric = {"name": "m", "source": "Prometheus", "prometheus": {"count": "a", "sum": "b"}}
    who = (Ref("team", "churn"), "mine", "uid-1", Metric.model_validate(metric))
    return Question(
        *who, ("control", "b", "c"), datetime(2026, 1, 1, tzinfo=UTC), frozenset({dropped} - {""})
    )


def test_an_arm_that_is_missing_leaves_the_others_to_be_shown() -> None:
    rows = {"control": Sums(10, 1), "b": Sums(10, 2), "stranger": Sums(-1, nan)}
    with pytest.raises(NoData, match="Prometheus has no data of arm c") as nothing:
        moments(rows, question())
    assert nothing.value.found == {"control": Moments(10, 1, 1), "b": Moments(10, 2, 2)}
    assert set(moments(rows, question(dropped="c"))) == {"control", "b"}


def summary(**cell: Any) -> Any:
    arm = {"units": 10, "exposures": 10, "metrics": {"spent": {"n": 10, "sum": 5.0, "sumsq": 9.0} | cell}}
    return {"checks": {}, "arms": {"control": arm}}


@pytest.mark.parametrize(
    "cell",
    [
        pytest.param({"sum": nan}, id="NaN"),
        pytest.param({"sumsq": inf}, id="infinite"),
        pytest.param({"n": -1}, id="less than no unit"),
        pytest.param({"sumsq": 1.0}, id="too few squares"),
        pytest.param({"m2": -1.0}, id="a negative spread"),
        pytest.param({"sum": None}, id="nothing"),
        pytest.param({"sum": "x"}, id="a word"),
    ],
)
def test_the_collector_is_believed_no_more_than_others(cell: dict[str, Any]) -> None:
    assert _summary(summary()).arms["control"].moments["spent"].mean == 0.5
    with pytest.raises(SourceError):
        _summary(summary(**cell))
