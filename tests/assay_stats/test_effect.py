"""The effect as it is shown: sequences of the difference and of the lift, by every method."""

from collections.abc import Callable
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assay_stats import Effect, Moments, evaluate, guardrail_rule, primary_rule, shown, validation
from assay_stats.difference import Arm, difference
from assay_stats.effect import of_means
from assay_stats.exactmargin import Counts, log_likelihood_of, log_mixture, ratio_interval
from assay_stats.validation import intervals
from assay_stats.validation.claim import Scale

ALPHA = 0.05


def primary(base_rate: float | None, direction: str = "Increase") -> Callable[[Moments, Moments], Effect]:
    rule = primary_rule("Proportion", alpha=ALPHA, base_rate=base_rate, direction=direction)  # type: ignore[arg-type]
    return lambda control, treatment: intervals.of(evaluate(rule, control, treatment, 0.5))


def guarded(**plan: float | str) -> Callable[[Moments, Moments], Effect]:
    rule = guardrail_rule("Proportion", alpha=ALPHA, **plan)  # type: ignore[arg-type]
    return lambda control, treatment: shown(rule, control, treatment, 0.5)


RULES = {
    "common primary": primary(None),
    "rare primary": primary(0.02),
    "primary that rarely fails": primary(0.97),
    "absolute margin": guarded(absolute=0.02),
    "absolute margin of what should rise": guarded(absolute=0.02, direction="Increase"),
    "relative margin": guarded(relative=0.2),
    "common guardrail": guarded(absolute=0.02, base_rate=0.3),
}
units = st.integers(1, 4000)
part = st.floats(0, 1)


@given(st.sampled_from(sorted(RULES)), units, part, units, part)
def test_sequences_contain_the_estimate_and_no_impossible_value(
    name: str, m: int, a: float, n: int, b: float
) -> None:
    n = n if name.startswith("common") else m  # the exact rules suppose the declared split
    control, treatment = Moments.proportion(m, round(m * a)), Moments.proportion(n, round(n * b))
    found = RULES[name](control, treatment)
    gap = treatment.mean - control.mean
    assert found.low - 1e-9 <= gap <= found.high + 1e-9
    assert found.low <= found.high
    assert found.lift_low <= found.lift_high
    assert not any(np.isnan(found))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    ("control", "treatment"),
    [((0.02, 4000), (0.06, 4000)), ((0.3, 4000), (0.5, 4000)), ((0.97, 900), (0.8, 900))],
)
def test_a_clear_effect_has_one_sign(
    name: str, control: tuple[float, int], treatment: tuple[float, int]
) -> None:
    sums = [Moments.proportion(n, round(n * rate)) for rate, n in (control, treatment)]
    found, up = RULES[name](*sums), treatment[0] > control[0]
    if name == "relative margin" and control[0] > 0.9:
        return  # events are counted, of which there are so many that their split says little
    assert (found.low > 0) == up
    assert (found.lift_low > 0) == up
    assert (found.high < 0) == (not up)
    assert (found.lift_high < 0) == (not up)


@pytest.mark.parametrize("name", RULES)
def test_with_one_unit_an_arm_everything_is_possible(name: str) -> None:
    found = RULES[name](Moments.proportion(1, 0), Moments.proportion(1, 1))
    assert found.low <= 0 < found.high


@given(
    st.tuples(st.floats(0.1, 100), st.floats(0, 50)),
    st.tuples(st.floats(-100, 100), st.floats(0, 50)),
    st.integers(100, 10_000),
    st.integers(100, 10_000),
    st.floats(2.5, 6),
)
def test_the_lift_excludes_nothing_where_the_difference_does(
    control: tuple[float, float], treatment: tuple[float, float], m: int, n: int, width: float
) -> None:
    """At ratio 1 both ask the same, so they agree, but for the last digits."""
    arms = Arm(m, control[0], control[1] ** 2), Arm(n, treatment[0], treatment[1] ** 2)
    found, gap = of_means(*arms, width), difference(*arms)
    assume(abs(abs(gap.estimate) - width * gap.guarded_se) > 1e-6 and found.lift_high < inf)
    assert (found.lift_low > 0) == (found.low > 0)
    assert (found.lift_high < 0) == (found.high < 0)


def test_a_control_near_zero_has_no_bounded_lift() -> None:
    found = of_means(Arm(500, 0.1, 4.0), Arm(500, 0.2, 4.0), 3.0)
    assert (found.lift_low, found.lift_high) == (-inf, inf)


@pytest.mark.parametrize(
    "counts", [Counts(30, 60, 12, 50), Counts(3, 400, 9, 380), Counts(0, 30, 7, 30), Counts(29, 30, 5, 90)]
)
def test_the_interval_of_a_ratio_agrees_with_a_search_over_both_rates(counts: Counts) -> None:
    level, mixture = 3.0, float(log_mixture(counts))

    def refuted(ratio: float) -> bool:
        rates = np.linspace(0, min(1.0, 1 / ratio), 4000)[1:-1]
        pairs = [(ratio * p, p) for p in rates]
        return mixture - max(log_likelihood_of(counts, q, p) for q, p in pairs) >= level

    low, high = ratio_interval(counts, level)
    assert refuted(high * 1.02)
    assert not refuted(high * 0.98)
    assert low == 0 or (refuted(low * 0.98) and not refuted(low * 1.02))


def test_every_sequence_covers_at_every_look() -> None:
    """The short form; `make validate` has the long one."""
    broken = [validation.line(claim) for claim in intervals.coverage(Scale(0, 20, 0, 1)) if not claim.holds]
    assert not broken
