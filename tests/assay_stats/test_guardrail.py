"""Guardrails: harm and safety by one margin, exact for rare events."""

import json
from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay_stats import GuardrailRule, Moments, exactmargin, guardrail_rule, harm, non_inferiority
from assay_stats.exactmargin import Counts

ABSOLUTE = guardrail_rule("Proportion", alpha=0.05, absolute=0.01)
RELATIVE = guardrail_rule("Proportion", alpha=0.05, relative=0.2)
COMMON = guardrail_rule("Proportion", alpha=0.05, absolute=0.02, base_rate=0.3, planned_units=20_000)
RETAINED = guardrail_rule("Proportion", alpha=0.05, relative=0.1, direction="Increase")
RULES = [ABSOLUTE, RELATIVE, COMMON, RETAINED]
UNITS = st.integers(1, 5000)


@st.composite
def tables(draw: st.DrawFn) -> Counts:
    n, m = draw(UNITS), draw(UNITS)
    return Counts(draw(st.integers(0, n)), n, draw(st.integers(0, m)), m)


@pytest.mark.parametrize(
    ("arguments", "method"),
    [
        ({"absolute": 0.01}, "ExactMargin"),
        ({"relative": 0.1}, "BetaBinomial"),
        ({}, "BetaBinomial"),
        ({"absolute": 0.01, "base_rate": 0.3}, "AsymptoticCS"),
        ({"absolute": 0.01, "relative": 0.1}, "AsymptoticCS"),
    ],
)
def test_the_margin_and_the_rate_choose_the_method(arguments: dict[str, float], method: str) -> None:
    rule = guardrail_rule("Proportion", alpha=0.05, **arguments)  # type: ignore[arg-type]
    assert rule.method == method
    assert GuardrailRule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.method)
@given(table=tables(), share=st.floats(0.05, 0.95))
def test_harm_and_safety_are_never_both_shown(rule: GuardrailRule, table: Counts, share: float) -> None:
    control = Moments(int(table.control_n), table.control)
    treatment = Moments(int(table.treatment_n), table.treatment)
    worse = harm(rule, control, treatment, share)
    fine = non_inferiority(rule, control, treatment, share)
    assert not (worse.breached and fine.passed)
    assert 0 <= worse.p_value <= 1
    assert 0 <= fine.p_value <= 1


def test_no_errors_at_all_clear_an_absolute_margin() -> None:
    control, treatment = Moments(1000, 0), Moments(1000, 0)
    fine = non_inferiority(ABSOLUTE, control, treatment, 0.5)
    assert fine.passed
    assert 0 < fine.bound < fine.margin == 0.01


def test_no_errors_at_all_say_nothing_about_a_relative_margin() -> None:
    fine = non_inferiority(RELATIVE, Moments(10_000, 0), Moments(10_000, 0), 0.5)
    assert not fine.passed
    assert "no unit has had the event" in (fine.undecidable_reason or "")


def test_a_dead_candidate_is_caught_within_a_handful_of_units() -> None:
    worse = harm(
        guardrail_rule("Proportion", alpha=0.05, absolute=0.01, guardrails=2),
        Moments(950, 0),
        Moments(3, 3),
        0.05,
    )
    assert worse.breached


def test_more_guardrails_need_more_evidence() -> None:
    one, four = (
        harm(
            guardrail_rule("Proportion", alpha=0.05, relative=0.1, guardrails=k),
            Moments(9500, 95),
            Moments(500, 20),
            0.05,
        )
        for k in (1, 4)
    )
    assert four.threshold - one.threshold == pytest.approx(log(4))
    assert one.log_e == four.log_e


def test_evidence_of_harm_is_not_forgotten() -> None:
    once = harm(ABSOLUTE, Moments(1000, 5), Moments(1000, 80), 0.5)
    later = harm(ABSOLUTE, Moments(9000, 45), Moments(9000, 130), 0.5, previous=once.log_e)
    assert once.breached
    assert later.breached


@pytest.mark.parametrize("rule", [ABSOLUTE, COMMON], ids=["exact", "asymptotic"])
def test_the_bound_is_where_non_inferiority_begins(rule: GuardrailRule) -> None:
    control, treatment = Moments(4000, 1200), Moments(4000, 1180)
    bound = non_inferiority(rule, control, treatment, 0.5).bound
    for margin, passed in ((bound - 1e-4, False), (bound + 1e-4, True)):
        moved = GuardrailRule.from_dict(rule.to_dict() | {"absolute": margin})
        assert non_inferiority(moved, control, treatment, 0.5).passed is passed


def test_a_metric_to_increase_is_harmed_by_falling() -> None:
    worse = harm(RETAINED, Moments(5000, 1000), Moments(5000, 700), 0.5)
    fine = non_inferiority(RETAINED, Moments(20_000, 4000), Moments(20_000, 4010), 0.5)
    assert worse.breached
    assert fine.passed
    assert fine.margin < 0
    assert fine.margin <= fine.bound <= fine.estimate


@given(table=tables(), margin=st.floats(-0.5, 0.5))
def test_the_restricted_likelihood_is_the_greatest_on_the_boundary(table: Counts, margin: float) -> None:
    best = exactmargin.log_likelihood_at(table, margin)
    low, high = max(0.0, -margin), min(1.0, 1 - margin)
    grid = [
        exactmargin.log_likelihood_of(table, min(1.0, max(0.0, p + margin)), p)
        for p in np.linspace(low, high, 60)
    ]
    assert best >= max(grid) - 1e-5 * (1 + abs(best))


@settings(max_examples=25)
@given(
    n=st.integers(1, 12),
    m=st.integers(1, 12),
    p=st.floats(0.01, 0.8),
    margin=st.sampled_from([0.0, 0.05, 0.15]),
)
def test_under_every_null_the_exact_evidence_is_at_most_a_fair_bet(
    n: int, m: int, p: float, margin: float
) -> None:
    q = min(1.0, p + margin)
    expected = 0.0
    for b in range(n + 1):
        for a in range(m + 1):
            chance = _binomial(b, n, q) * _binomial(a, m, p)
            expected += chance * exp(exactmargin.log_harm(Counts(b, n, a, m), margin))
    assert expected <= 1 + 1e-9


def _binomial(k: int, n: int, p: float) -> float:
    return float(np.exp(exactmargin._log_binomial(k, n, p))) * _choose(n, k)


def _choose(n: int, k: int) -> int:
    return int(np.prod([(n - i) / (i + 1) for i in range(k)]).round()) if k else 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.method)
def test_an_empty_arm_shows_nothing(rule: GuardrailRule) -> None:
    fine = non_inferiority(rule, Moments(100, 10), Moments(0, 0), 0.5)
    assert not harm(rule, Moments(100, 10), Moments(0, 0), 0.5).breached
    assert not fine.passed
    assert abs(fine.bound) == inf


@pytest.mark.parametrize("broken", [{"relative": -0.1}, {"guardrails": 0}, {"alpha": 1.5}])
def test_plans_out_of_range_are_refused(broken: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"margins|alpha"):
        guardrail_rule("Proportion", **({"alpha": 0.05} | broken))  # type: ignore[arg-type]


def test_safety_must_be_shown_by_the_present_look() -> None:
    """Outcomes that come late make both arms look clean at first."""
    early = non_inferiority(ABSOLUTE, Moments(3000, 0), Moments(3000, 0), 0.5)
    later = non_inferiority(ABSOLUTE, Moments(3000, 150), Moments(3000, 170), 0.5, previous=early.log_e)
    assert early.passed
    assert not later.passed
    assert "earlier look" in (later.undecidable_reason or "")


def test_information_is_counted_in_variance_not_in_units() -> None:
    """The same units with values that grew: as much information as four times the units of the first look."""
    rule = guardrail_rule("Mean", alpha=0.05, absolute=0.1)
    first = Moments(1000, 0, 1000), Moments(1000, 60, 1000)
    grown = Moments(1000, 0, 4000), Moments(1000, 120, 4000)
    longer = Moments(4000, 0, 4000), Moments(4000, 120, 4000)
    before = non_inferiority(rule, *first, 0.5)
    assert before.variance == pytest.approx(1, rel=1e-2)
    assert harm(rule, *first, 0.5).variance == before.variance
    looks = [non_inferiority(rule, *sums, 0.5, variance=before.variance) for sums in (grown, longer)]
    assert looks[0].variance == before.variance
    errors = (4 * 2 / 1000) ** 0.5, (2 / 4000) ** 0.5
    widths = [(each.bound - each.estimate) / error for each, error in zip(looks, errors, strict=True)]
    assert widths[0] == pytest.approx(widths[1], rel=1e-2)
