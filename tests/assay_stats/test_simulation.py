"""The simulation runs the rules that decide, repeats itself, and finds what was promised."""

from dataclasses import replace

import numpy as np
import pytest

from assay_stats import Moments, Peak, Rule, evaluate, primary_rule, validation
from assay_stats.simulation import Bernoulli, Cuped, Design, LogNormal, Naive, RatioOfMeans, simulate
from assay_stats.simulation.engine import trace
from assay_stats.simulation.worlds import Draw, World
from assay_stats.validation import primaries
from assay_stats.validation.__main__ import main

RULES = {
    "common": primary_rule("Proportion", alpha=0.05, planned_units=4000),
    "rare": primary_rule("Proportion", alpha=0.05, planned_units=4000, base_rate=0.05),
    "rarely missing": primary_rule("Proportion", alpha=0.05, planned_units=4000, base_rate=0.95),
    "mean": primary_rule("Mean", alpha=0.05, planned_units=4000),
}


@pytest.mark.parametrize("name", RULES)
def test_arrays_decide_as_single_looks_do(name: str) -> None:
    rule = RULES[name]
    world: World = LogNormal(0.5) if name == "mean" else Bernoulli(0.95 if name == "rarely missing" else 0.1)
    draw = Draw(6, (150,) * 20, (0.7, 0.3), (0.0, 0.05 if name == "rarely missing" else 0.4))
    control, treatment = world.draw(np.random.default_rng(3), draw)
    found = trace(rule, control, treatment, 0.3, binary=name != "mean")
    for run in range(6):
        peak = Peak()
        for look in range(20):
            a, b = (
                Moments(int(s.n[run, look]), s.total[run, look], s.squares[run, look])
                for s in (control, treatment)
            )
            evidence = evaluate(rule, a, b, 0.3, peak=peak)
            peak = evidence.peak
            assert found.p[run, look] == pytest.approx(evidence.p_value, rel=1e-9)
            decided = bool(found.able[run, look] and found.p[run, look] <= rule.alpha)
            assert decided == (evidence.decided is not None)
            if decided:
                assert (evidence.decided == "better") == bool(found.up[run, look])


def test_the_same_seed_gives_the_same_figures_on_any_number_of_cores() -> None:
    design = Design(Bernoulli(0.1), Naive(), (50,) * 20)
    one, two = (simulate(design, runs=1200, cores=cores) for cores in (1, 2))
    assert one.decided == two.decided
    assert np.array_equal(one.curve, two.curve)


def test_progress_counts_up_to_all_runs() -> None:
    progress_calls: list[tuple[int, int]] = []
    simulate(
        Design(Bernoulli(0.1), Naive(), (50,) * 5), runs=1100, progress=lambda *k: progress_calls.append(k)
    )
    assert progress_calls[-1] == (1100, 1100)


def test_a_design_whose_arms_and_effects_disagree_is_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        simulate(Design(Bernoulli(0.1), Naive(), (50,), (1, 1, 1), (0.0,)))


@pytest.mark.parametrize("world", [LogNormal(), LogNormal(capped=0.99), RatioOfMeans(), Cuped()], ids=repr)
def test_worlds_are_what_they_say(world: World) -> None:
    truth = world.truth()
    draw = Draw(1, (200_000,), (0.5, 0.5), (0.0, 0.1))
    control, treatment = world.draw(np.random.default_rng(4), draw)
    below = [
        1.0 if s.x is None or isinstance(world, Cuped) else s.x[0, 0] / s.n[0, 0]
        for s in (control, treatment)
    ]
    means = [s.total[0, 0] / s.n[0, 0] / b for s, b in zip((control, treatment), below, strict=True)]
    assert means[0] == pytest.approx(truth.mean, rel=0.05)
    assert means[1] > means[0]


def test_a_pair_rule_runs_through_the_engine() -> None:
    rule = Rule("Ratio", "AsymptoticCS", 0.05, n_star=500)
    found = simulate(Design(RatioOfMeans(), rule, (200,) * 10, effects=(0.5,)), runs=20)
    assert found.better.value > 0.8


def test_quick_validation_holds_every_bar() -> None:
    """The installed rules against the truth; the long version is `python -m assay_stats.validation`."""
    broken = [validation.line(claim) for claim in validation.claims(validation.QUICK) if not claim.holds]
    assert not broken


def test_a_broken_bar_is_seen() -> None:
    naive = next(
        claim for claim in primaries.warnings(validation.QUICK) if "z test at every look" in claim.name
    )
    assert not naive._replace(kind="at most").holds


def test_the_command_fails_on_a_broken_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    claim = validation.RateCheck("a liar", 0.4, 0.05, 1000, "at most")
    monkeypatch.setattr(validation, "GROUPS", (lambda _scale: iter([claim, replace_kind(claim)]),))
    assert main(["--quick"]) == 1
    assert "BROKEN" in capsys.readouterr().out


def replace_kind(claim: validation.RateCheck) -> validation.RateCheck:
    return claim._replace(kind="shown")


def test_rules_are_frozen() -> None:
    assert replace(RULES["mean"], alpha=0.01).alpha == 0.01
