"""Plans, group sequential designs, staged looks, sample ratio, multiplicity, epochs."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from assay_stats import Design, Moments, e_bh, holm, minimum_detectable_effect, srm, units_per_arm
from assay_stats.betabinomial import Split
from assay_stats.difference import Arm, Difference
from assay_stats.epochs import log_evidence, stratified
from assay_stats.fixed import Question, final, pooled_z, welch
from assay_stats.groupsequential import Spending, boundaries, crossing
from assay_stats.multiplicity import ADJUSTMENTS
from assay_stats.planning import fixed_power
from assay_stats.staged import Schedule, Stage, look

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=10)


@given(base=st.floats(0.02, 0.6), lift=st.floats(0.05, 0.5), share=st.floats(0.05, 0.95))
def test_the_planned_units_have_the_planned_power(base: float, lift: float, share: float) -> None:
    design = Design(share=share)
    size = units_per_arm(base, base * lift, design)
    assert fixed_power(base, base * lift, size) == pytest.approx(0.8, abs=0.02)


@given(base=st.floats(0.02, 0.6), units=st.integers(2_000, 10**7))
def test_the_detectable_effect_needs_the_units_it_was_found_for(base: float, units: int) -> None:
    effect = minimum_detectable_effect(base, units)
    assert units_per_arm(base, effect).total == pytest.approx(units, rel=1e-2, abs=4)


@pytest.mark.parametrize(
    ("base", "effect", "share", "total"),
    [(0.10, 0.02, 0.5, 7682), (0.10, 0.02, 0.05, 39_205)],
    ids=["even", "five percent"],
)
def test_known_sizes(base: float, effect: float, share: float, total: int) -> None:
    assert units_per_arm(base, effect, Design(share=share)).total == pytest.approx(total, rel=0.02)


def test_no_effect_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="effect"):
        units_per_arm(0.1, 0.0)


@pytest.mark.parametrize(
    "spending", [Spending(), Spending("Pocock"), Spending("Power", 2), Spending("HwangShihDeCani", -4)]
)
@pytest.mark.parametrize("sides", [1, 2])
def test_the_boundaries_spend_just_alpha(spending: Spending, sides: int) -> None:
    """Checked against scipy's multivariate normal, which knows nothing of the recursion."""
    fractions = (0.3, 0.55, 0.8, 1.0)
    looks = boundaries(fractions, 0.05, sides=sides, spending=spending)
    covariance = [[min(s, t) / (s * t) ** 0.5 for t in fractions] for s in fractions]
    normal = multivariate_normal(np.zeros(4), covariance, seed=1, maxpts=200_000)
    low = -np.array(looks.z) if sides == 2 else np.full(4, -np.inf)
    inside = normal.cdf(np.array(looks.z), lower_limit=low)
    assert 1 - inside == pytest.approx(0.05, abs=2e-4)
    assert looks.spent[-1] == pytest.approx(0.05)
    assert all(b >= a for a, b in pairwise(looks.spent))


def test_an_overrunning_look_spends_all_that_is_left() -> None:
    looks = boundaries((0.4, 1.3), 0.05)
    assert looks.spent[-1] == pytest.approx(0.05)
    assert 2 * sum(crossing(looks.fractions, looks.z, 0.0)) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize("fractions", [(), (0.5, 0.5), (0.6, 0.4), (0.0, 1.0)])
def test_information_must_rise(fractions: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="rise"):
        boundaries(fractions, 0.05)


def _arm(n: int, rate: float) -> Arm:
    return Arm(n, rate, rate * (1 - rate))


def test_alpha_is_spent_only_at_scheduled_looks() -> None:
    schedule = Schedule(max_units=1000, looks=4)
    early = look(schedule, _arm(100, 0.1), _arm(100, 0.9))
    assert not early.taken
    assert early.next_units == 250
    due = look(schedule, _arm(130, 0.5), _arm(130, 0.5), early.stage)
    assert due.taken
    assert due.stage.fractions == (0.26,)
    again = look(schedule, _arm(131, 0.1), _arm(131, 0.9), due.stage)
    assert not again.taken
    assert again.stage.decided is None


def test_a_late_look_swallows_those_it_passed_and_the_last_is_the_last() -> None:
    schedule = Schedule(max_units=1000, looks=5, spending="Pocock", direction="Decrease")
    late = look(schedule, _arm(350, 0.5), _arm(350, 0.5))
    assert late.next_units == 800
    over = look(schedule, _arm(600, 0.5), _arm(600, 0.3), late.stage)
    assert over.stage.decided == "better"
    assert over.stage.over
    assert over.stage.spent == pytest.approx(0.05)
    assert over.next_units is None
    assert not look(schedule, _arm(900, 0.5), _arm(900, 0.5), over.stage).taken
    assert Stage(*over.stage) == over.stage


@pytest.mark.parametrize(
    "broken", [{"looks": 0}, {"looks": 21}, {"max_units": 0}, {"spending": "all at once"}]
)
def test_schedules_out_of_range_are_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"looks|spending"):
        Schedule(**({"max_units": 1000} | broken))  # type: ignore[arg-type]


def test_a_fixed_horizon_has_one_look_and_not_before_its_end() -> None:
    test = pooled_z(_arm(500, 0.1), _arm(500, 0.2))
    assert final(test, units=1000, planned=1000, looked=False) == test
    with pytest.raises(ValueError, match="looked"):
        final(test, units=1000, planned=1000, looked=True)
    with pytest.raises(ValueError, match="units"):
        final(test, units=999, planned=1000, looked=False)


def test_no_spread_decides_nothing() -> None:
    assert welch(Arm(10, 1.0, 0.0), Arm(10, 2.0, 0.0)).p_value == 1


def test_one_sided_tests_cohere_with_the_two_sided_one() -> None:
    arms = _arm(400, 0.1), _arm(600, 0.15)
    two, greater, less = (
        welch(*arms, Question(alternative=side)) for side in ("two-sided", "greater", "less")
    )
    assert greater.p_value == pytest.approx(two.p_value / 2)
    assert greater.p_value + less.p_value == pytest.approx(1)


@given(P_VALUES)
def test_adjusted_p_values_are_probabilities_and_keep_the_order(p: list[float]) -> None:
    for adjust in ADJUSTMENTS.values():
        adjusted = adjust(p)
        assert all(0 <= a <= 1 for a in adjusted)
        assert all(a >= raw - 1e-12 for a, raw in zip(adjusted, p, strict=True))
        order = sorted(range(len(p)), key=p.__getitem__)
        assert all(adjusted[j] >= adjusted[i] - 1e-12 for i, j in pairwise(order))


@given(P_VALUES)
def test_holm_is_never_worse_than_bonferroni(p: list[float]) -> None:
    assert all(h <= b + 1e-12 for h, b in zip(holm(p), ADJUSTMENTS["bonferroni"](p), strict=True))


def test_e_bh_rejects_the_largest() -> None:
    assert e_bh([np.log(100), np.log(35), 0.0], 0.05) == [True, True, False]
    assert e_bh([0.0, 0.0], 0.05) == [False, False]


def test_a_broken_split_is_noticed_and_a_right_one_is_not() -> None:
    declared = {"control": 90.0, "boosted": 10.0}
    broken = srm({"control": 1888, "boosted": 112}, declared)
    assert broken.mismatch
    healed = srm({"control": 9000, "boosted": 1000}, declared, previous=broken.log_e)
    assert healed.mismatch, "an alarm is not taken back"
    assert not srm({"control": 9000, "boosted": 1000}, declared).mismatch


@pytest.mark.parametrize(
    ("counts", "weights", "word"),
    [
        ({"a": 1, "b": 1}, {"a": 1.0}, "no weight"),
        ({"a": 1}, {"a": 0.0}, "not above 0"),
        ({"a": -1}, {"a": 1.0}, "negative"),
    ],
)
def test_counts_without_a_weight_are_refused(
    counts: dict[str, int], weights: dict[str, float], word: str
) -> None:
    with pytest.raises(ValueError, match=word):
        srm(counts, weights)


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=3))
def test_three_arms_in_any_order_give_the_same_evidence(counts: list[int]) -> None:
    weights = {"a": 50.0, "b": 30.0, "c": 20.0}
    named = dict(zip(weights, counts, strict=True))
    there = srm(named, weights)
    back = srm(dict(reversed(named.items())), dict(reversed(weights.items())))
    assert there.log_e == pytest.approx(back.log_e, rel=1e-9, abs=1e-6)
    assert 0 <= there.p_value <= 1


def test_pooling_over_a_changed_split_sees_what_is_not_there() -> None:
    """Rates rise from .02 to .10 while the candidate's share grows: Simpson's paradox, and its cure."""
    early = Moments(9500, 190), Moments(500, 10)
    late = Moments(5000, 500), Moments(5000, 500)
    pooled = Split(510, 690, 5500 / 20_000, 100)
    apart = [Split(10, 190, 0.05, 100), Split(500, 500, 0.5, 100)]
    assert log_evidence([pooled]) > 20
    assert log_evidence(apart) < 0
    rows = [Difference(b.mean - a.mean, 0.01, 0.01, a.n + b.n) for a, b in (early, late)]
    assert stratified(rows).estimate == pytest.approx(0)
