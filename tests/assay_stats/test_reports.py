"""Trust checks, beliefs, ranks, quantiles, caps: what is shown beside the decision."""

import numpy as np
import pytest
from scipy import stats

from assay_stats import bayes, offline, proportions, trust, winsor
from assay_stats.difference import Difference
from assay_stats.quantiles import comparison_p, rank_interval, share_above


def _rows(effects: list[float]) -> list[Difference]:
    return [Difference(effect, 0.01, 0.01, 1000) for effect in effects]


@pytest.mark.parametrize(
    ("effects", "kind"),
    [
        pytest.param([0.2, 0.15, 0.1, 0.05, 0.02], "novelty", id="an effect that fades"),
        pytest.param([0.02, 0.05, 0.1, 0.15, 0.2], "primacy", id="an effect that grows"),
        pytest.param([0.1, 0.1, 0.1, 0.1, 0.1], "steady", id="an effect that stays"),
        pytest.param([0.1], "steady", id="one day says nothing"),
    ],
)
def test_the_effect_by_days_since_exposure(effects: list[float], kind: str) -> None:
    assert trust.trend(range(len(effects)), _rows(effects)).kind == kind


@pytest.mark.parametrize(("days", "held"), [(3, True), (7, False), (10, True), (14, False)])
def test_only_whole_weeks_are_fair(days: float, held: bool) -> None:  # noqa: FBT001
    assert trust.whole_cycles(days).raised is held


@pytest.mark.parametrize(
    ("flag", "raised"),
    [
        (trust.heavy_tail(500, 10_000), True),
        (trust.heavy_tail(5, 10_000), False),
        (trust.heavy_tail(0, 0), False),
        (trust.crossover(60, 10_000), True),
        (trust.crossover(3, 10_000), False),
        (trust.duplicates(900, 10_000), True),
        (trust.valid_until(90), True),
        (trust.valid_until(9), False),
    ],
)
def test_flags_say_the_number_and_the_bar(flag: trust.Flag, raised: bool) -> None:  # noqa: FBT001
    assert flag.raised is raised
    assert flag.message


def test_two_experiments_that_meddle_are_seen() -> None:
    apart = trust.interaction({"a": Difference(0.1, 0.01, 0.01, 10), "b": Difference(0.0, 0.01, 0.01, 10)})
    alike = trust.interaction({"a": Difference(0.1, 0.01, 0.01, 10), "b": Difference(0.1, 0.01, 0.01, 10)})
    assert apart.p_value < 1e-9
    assert alike.p_value == pytest.approx(1)


def test_a_healthy_platform_has_uniform_a_a_p_values() -> None:
    rng = np.random.default_rng(5)
    assert trust.uniformity(rng.random(500).tolist()).p_value > 0.01
    assert trust.uniformity((rng.random(500) ** 2).tolist()).p_value < 1e-6


def test_beliefs_agree_with_a_million_draws() -> None:
    a, b = bayes.posterior(50, 1000), bayes.posterior(65, 1000)
    rng = np.random.default_rng(6)
    x, y = (rng.beta(p.a, p.b, 1_000_000) for p in (a, b))
    assert bayes.beats(b, a) == pytest.approx((y > x).mean(), abs=2e-3)
    assert bayes.expected_loss(b, a) == pytest.approx(np.maximum(x - y, 0).mean(), abs=2e-5)


def test_a_normal_belief_is_labelled() -> None:
    belief = bayes.normal(0.02, 0.01)
    assert belief.label == "not for stopping"
    assert belief.loss_control - belief.loss_treatment == pytest.approx(belief.mean)
    shrunk = bayes.normal(0.02, 0.01, bayes.Prior(0.0, 1e-4))
    assert 0 < shrunk.mean < belief.mean


def test_allocation_waits_for_units_and_follows_the_best() -> None:
    chances = bayes.best_normal([(0.0, 0.1), (0.2, 0.1), (0.1, 0.1)])
    assert bayes.thompson(chances, [50, 500, 500]) == [pytest.approx(1 / 3)] * 3
    shares = bayes.top_two(chances, [500, 500, 500])
    assert sum(shares) == pytest.approx(1)
    assert max(shares) == shares[1] < chances[1]


def test_ranks_agree_with_scipy() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.integers(0, 9, 40), rng.integers(1, 10, 55)
    ours = offline.mann_whitney(x.tolist(), y.tolist())
    theirs = stats.mannwhitneyu(x, y, method="asymptotic")
    assert ours.statistic == theirs.statistic
    assert ours.p_value == pytest.approx(theirs.pvalue)


def test_the_bootstrap_covers_the_difference_of_medians() -> None:
    rng = np.random.default_rng(8)
    x, y = rng.normal(0, 1, 200), rng.normal(1, 1, 200)
    estimate, low, high = offline.bootstrap(
        x.tolist(), y.tolist(), lambda v: float(np.median(v)), generator=rng, draws=400
    )
    assert low < estimate < high
    assert low < 1 < high


def test_fisher_agrees_with_scipy() -> None:
    for table in ([[8, 2], [1, 5]], [[0, 9], [4, 6]], [[120, 80], [90, 110]]):
        for side in ("two-sided", "greater", "less"):
            theirs = stats.fisher_exact(table, side).pvalue
            assert proportions.fisher(table, side) == pytest.approx(theirs)


def test_quantiles_by_ranks_and_by_share() -> None:
    assert rank_interval(0.5, 1000) == (469, 532)
    assert share_above([1, 5, 9], 4).mean == pytest.approx(2 / 3)
    assert comparison_p(list(range(300)), list(range(300))) == 1
    assert comparison_p(list(range(300)), [v + 200 for v in range(300)]) < 1e-6


def test_a_cap_comes_from_history_and_bounds_one_unit() -> None:
    rng = np.random.default_rng(9)
    history = np.exp(1.5 * rng.standard_normal(10_000)).tolist()
    bound = winsor.cap(history)
    assert winsor.capped([bound * 100], bound).total == bound
    with pytest.raises(ValueError, match="finite"):
        winsor.cap([1.0, float("nan")])
