"""Evidence on primaries: coherent, always valid, silent where it must be."""

import json
import subprocess
import sys
from math import comb, exp, inf, log

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assay_stats import (
    Moments,
    PairMoments,
    Peak,
    Rule,
    evaluate,
    evaluate_pairs,
    holm,
    primary_rule,
    sequential,
)
from assay_stats.betabinomial import Split, log_evidence, log_harm, log_safety, share_interval

SHARES = st.floats(0.02, 0.98)
EVENTS = st.integers(0, 5000)
MEAN = primary_rule("Mean", alpha=0.05, planned_units=20_000)
COMMON = primary_rule("Proportion", alpha=0.05, planned_units=20_000, base_rate=0.3)
RARE = primary_rule("Proportion", alpha=0.05, planned_units=20_000, base_rate=0.02)


@pytest.mark.parametrize(
    ("type_", "rate", "method"),
    [
        pytest.param("Proportion", None, "AsymptoticCS", id="nothing is known of the rate"),
        pytest.param("Proportion", 0.3, "AsymptoticCS", id="a common outcome"),
        pytest.param("Proportion", 0.02, "BetaBinomial", id="a rare outcome"),
        pytest.param("Proportion", 0.97, "BetaBinomial", id="an outcome that is rarely missing"),
        pytest.param("Mean", None, "AsymptoticCS", id="amounts"),
    ],
)
def test_the_plan_chooses_the_rule(type_: str, rate: float | None, method: str) -> None:
    assert primary_rule(type_, alpha=0.05, base_rate=rate).method == method  # type: ignore[arg-type]


def test_a_rule_survives_json() -> None:
    assert Rule.from_dict(json.loads(json.dumps(RARE.to_dict()))) == RARE


def test_a_rule_with_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="surprise"):
        Rule.from_dict(RARE.to_dict() | {"surprise": 1})


@given(total=st.integers(0, 60), share=st.floats(0.05, 0.95), weight=st.floats(1, 200))
def test_without_a_difference_evidence_is_a_fair_bet(total: int, share: float, weight: float) -> None:
    """The expectation is exactly 1 after any number of events: that is why peeking is harmless."""

    def bet(k: int, one_sided: bool) -> float:  # noqa: FBT001
        split = Split(total - (total - k), total - k, share, weight)
        chance = comb(total, k) * share**k * (1 - share) ** (total - k)
        return chance * exp(float((log_harm if one_sided else log_evidence)(split)))

    assert sum(bet(k, one_sided=False) for k in range(total + 1)) == pytest.approx(1)
    assert sum(bet(k, one_sided=True) for k in range(total + 1)) == pytest.approx(1, rel=1e-6)


@given(a=EVENTS, b=EVENTS, share=SHARES)
def test_swapping_the_arms_swaps_the_sides(a: int, b: int, share: float) -> None:
    split, mirror = Split(b, a, share), Split(a, b, 1 - share)
    assert float(log_evidence(split)) == pytest.approx(float(log_evidence(mirror)), abs=1e-6)
    assert float(log_safety(split)) == pytest.approx(float(log_harm(mirror)), abs=1e-6)


@given(a=EVENTS, b=EVENTS, share=SHARES)
def test_the_two_sides_add_up_to_the_two_sided_evidence(a: int, b: int, share: float) -> None:
    """The two one-sided mixtures, weighted by the prior's halves, are the two-sided one; here as a bound."""
    split = Split(b, a, share)
    two = float(log_evidence(split))
    sides = max(float(log_harm(split)), float(log_safety(split)))
    assert sides >= two - 1e-6


@given(a=EVENTS, b=EVENTS, share=SHARES, alpha=st.sampled_from([0.01, 0.05, 0.2]))
def test_the_interval_excludes_the_null_just_when_the_evidence_suffices(
    a: int, b: int, share: float, alpha: float
) -> None:
    split = Split(b, a, share, 100)
    low, high = share_interval(split, alpha)
    margin = float(log_evidence(split)) - log(1 / alpha)
    assume(abs(margin) > 1e-6)
    assert 0 <= low <= high <= 1
    assert (low > share or high < share) == (margin > 0)


@given(z=st.floats(-40, 40), information=st.floats(1e-4, 1e3), alpha=st.floats(0.001, 0.4))
def test_p_values_are_probabilities_and_invert_the_interval(
    z: float, information: float, alpha: float
) -> None:
    log_e = float(sequential.log_evidence(z, information, alpha))
    p = float(sequential.p_value(log_e))
    assert 0 <= p <= 1
    width = float(sequential.half_width(information, alpha))
    assume(abs(abs(z) - width) > 1e-6)
    assert (p <= alpha) == (abs(z) >= width)


@given(z=st.floats(-40, 40), information=st.floats(1e-4, 1e3), alpha=st.floats(0.001, 0.2))
def test_one_sided_pairs_cohere(z: float, information: float, alpha: float) -> None:
    up, down = (float(sequential.one_sided_log_evidence(side * z, information, alpha)) for side in (1, -1))
    assert min(up, down) == -inf or z == 0
    width = float(sequential.one_sided_half_width(information, alpha))
    assume(abs(z - width) > 1e-6)
    assert (up >= log(1 / alpha)) == (z >= width)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=12))
def test_running_p_values_never_rise(looks: list[tuple[int, int]]) -> None:
    control = treatment = Moments(0, 0)
    peak, last = Peak(), 1.0
    for a, b in looks:
        control, treatment = control.merge(Moments(500, a)), treatment.merge(Moments(500, b))
        evidence = evaluate(RARE, control, treatment, 0.5, peak=peak)
        peak = evidence.peak
        assert 0 <= evidence.p_value <= last
        last = evidence.p_value


@pytest.mark.parametrize("rule", [MEAN, COMMON], ids=["mean", "proportion"])
def test_nested_looks_shrink_the_interval_at_a_steady_effect(rule: Rule) -> None:
    widths = []
    for k in (1, 2, 4, 8, 16):
        control, treatment = (Moments(1000 * k, events * k, events * k) for events in (300, 340))
        evidence = evaluate(rule, control, treatment, 0.5)
        widths.append(evidence.high - evidence.low)
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(
    ("rule", "control", "treatment", "why"),
    [
        pytest.param(MEAN, Moments(0, 0), Moments(0, 0), "control has 0 units", id="nobody"),
        pytest.param(MEAN, Moments(99, 9, 9), Moments(500, 50, 50), "99 units, needs 100", id="few units"),
        pytest.param(MEAN, Moments(200, 0, 0), Moments(200, 0, 0), "no value differs", id="all the same"),
        pytest.param(COMMON, Moments(500, 9), Moments(500, 200), "9 events, needs 10", id="few events"),
        pytest.param(COMMON, Moments(500, 480), Moments(500, 495), "5 units without", id="few non-events"),
        pytest.param(RARE, Moments(0, 0), Moments(50, 1), "no units", id="an empty arm"),
    ],
)
def test_too_little_data_decides_nothing_and_says_why(
    rule: Rule, control: Moments, treatment: Moments, why: str
) -> None:
    evidence = evaluate(rule, control, treatment, 0.5)
    assert evidence.decided is None
    assert why in (evidence.undecidable_reason or "")
    assert evidence.p_value == 1.0
    assert evidence.low <= evidence.estimate <= evidence.high
    if rule.type == "Mean" or not control.n:  # rates have an exact interval from the first unit on
        assert (evidence.low, evidence.high) == (-inf, inf)


FALLING = primary_rule("Proportion", alpha=0.05, direction="Decrease")
SLOW = primary_rule("Mean", alpha=0.05, direction="Decrease")
FAILURES = [
    pytest.param(COMMON, Moments(5000, 3000), Moments(5000, 0), id="no event at all"),
    pytest.param(FALLING, Moments(5000, 0), Moments(5000, 5000), id="nothing but events"),
    pytest.param(COMMON, Moments(570, 342), Moments(30, 0), id="from the first units on"),
    pytest.param(COMMON, Moments(30, 18), Moments(30, 0), id="at equal parts"),
    pytest.param(MEAN, Moments(30, 30, 30), Moments(30, 0, 0), id="amounts without spread"),
    pytest.param(SLOW, Moments(570, 5700, 57_000), Moments(30, 900, 27_000), id="slow without spread"),
    pytest.param(MEAN, Moments(570, 2850, 16_530), Moments(30, 0, 0), id="amounts that stop coming"),
    pytest.param(MEAN, Moments(30, 150, 870), Moments(30, 0, 0), id="amounts that stop, at equal parts"),
]


@pytest.mark.parametrize(("rule", "control", "treatment"), FAILURES)
def test_total_failure_is_seen_at_once(rule: Rule, control: Moments, treatment: Moments) -> None:
    evidence = evaluate(rule, control, treatment, treatment.n / (control.n + treatment.n))
    assert evidence.decided == "worse"


@pytest.mark.parametrize(("rule", "control", "treatment"), FAILURES)
def test_the_floors_still_protect_a_win(rule: Rule, control: Moments, treatment: Moments) -> None:
    """The same numbers with the arms exchanged: what is obvious for harm is too little for a win."""
    share = control.n / (control.n + treatment.n)
    assert evaluate(rule, treatment, control, share).decided != "better"


def test_an_event_that_never_happens_is_no_evidence() -> None:
    evidence = evaluate(RARE, Moments(10_000, 0), Moments(10_000, 0), 0.5)
    assert evidence.p_value == 1
    assert evidence.decided is None


@pytest.mark.parametrize(
    ("direction", "control", "treatment", "decided"),
    [
        ("Increase", 300, 420, "better"),
        ("Increase", 420, 300, "worse"),
        ("Decrease", 300, 420, "worse"),
        ("Decrease", 420, 300, "better"),
    ],
)
@pytest.mark.parametrize("rate", [0.3, 0.04, 0.96], ids=["common", "rare", "rarely missing"])
def test_the_direction_tells_better_from_worse(
    direction: str, control: int, treatment: int, decided: str, rate: float
) -> None:
    rule = primary_rule(
        "Proportion",
        alpha=0.05,
        planned_units=20_000,
        base_rate=rate,
        direction=direction,  # type: ignore[arg-type]
    )
    evidence = evaluate(rule, Moments(1000, control), Moments(1000, treatment), 0.5)
    assert evidence.decided == decided
    assert (evidence.low > 0) == (treatment > control)


def test_an_effect_that_turned_round_is_not_promoted_on_old_evidence() -> None:
    once = evaluate(COMMON, Moments(1000, 300), Moments(1000, 420), 0.5)
    later = evaluate(COMMON, Moments(9000, 3000), Moments(9000, 2990), 0.5, peak=once.peak)
    assert once.decided == "better"
    assert later.p_value <= once.p_value
    assert later.decided is None


def test_holm_shares_alpha_between_candidates() -> None:
    evidence = [evaluate(COMMON, Moments(1000, 300), Moments(1000, k), 0.5) for k in (420, 372, 305)]
    adjusted = holm([one.p_value for one in evidence])
    decided = [one.decided_at(COMMON, p) for one, p in zip(evidence, adjusted, strict=True)]
    assert decided[0] == "better"
    assert decided[2] is None
    assert all(a >= one.p_value for a, one in zip(adjusted, evidence, strict=True))


def test_lift_is_undefined_near_a_zero_mean() -> None:
    values = [(-1.0) ** k for k in range(200)]
    evidence = evaluate(MEAN, Moments.of(values), Moments.of([v + 1 for v in values]), 0.5)
    assert evidence.lift is None


def test_lift_and_difference_agree_on_the_sign_of_a_rare_outcome() -> None:
    evidence = evaluate(RARE, Moments(10_000, 150), Moments(10_000, 260), 0.5)
    assert evidence.lift is not None
    assert evidence.lift.estimate == pytest.approx(260 / 150 - 1)
    assert evidence.low > 0
    assert evidence.lift.low > 0


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_is_between_none_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        evaluate(RARE, Moments(10, 1), Moments(10, 1), share)


def test_pairs_need_a_rule_for_pairs() -> None:
    with pytest.raises(ValueError, match="Ratio or Cuped"):
        evaluate_pairs(MEAN, PairMoments(0, 0, 0, 0, 0, 0), PairMoments(0, 0, 0, 0, 0, 0))


def test_a_ratio_without_a_denominator_says_so() -> None:
    rule = Rule("Ratio", "AsymptoticCS", 0.05)
    empty = PairMoments(0, 0, 0, 0, 0, 0)
    assert "denominator" in (evaluate_pairs(rule, empty, empty).undecidable_reason or "")


def test_importing_the_package_does_not_wait_for_scipy() -> None:
    code = "import sys, assay_stats; sys.exit(any(name.startswith('scipy') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_information_is_counted_in_variance_not_in_units() -> None:
    """The same units with values that grew: as much information as four times the units of the first look."""
    first = evaluate(MEAN, Moments(1000, 0, 1000), Moments(1000, 60, 1000), 0.5)
    grown = evaluate(MEAN, Moments(1000, 0, 4000), Moments(1000, 120, 4000), 0.5, peak=first.peak)
    longer = evaluate(MEAN, Moments(4000, 0, 4000), Moments(4000, 120, 4000), 0.5, peak=first.peak)
    assert first.peak.variance == pytest.approx(1, rel=1e-2)
    assert grown.peak.variance == first.peak.variance
    widths = [(evidence.high - evidence.low) / evidence.se for evidence in (first, grown, longer)]
    assert widths[1] == pytest.approx(widths[2], rel=1e-3)
    assert widths[1] < widths[0]
