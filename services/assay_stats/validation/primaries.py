"""Claims about primaries: false positives of every rule, world and split, and power."""

from collections.abc import Iterator
from dataclasses import replace
from math import sqrt

import numpy as np

from assay_stats import Moments, Peak, evaluate, minimum_detectable_effect, primary_rule
from assay_stats.groupsequential import Spending
from assay_stats.rule import Rule
from assay_stats.simulation import (
    Bernoulli,
    Cuped,
    Design,
    Fixed,
    LogNormal,
    Naive,
    Posterior,
    RatioOfMeans,
    Spenders,
    Staged,
    simulate,
)
from assay_stats.simulation.worlds import World
from assay_stats.validation.claim import ALPHA, QUICK, SPLITS, RateCheck, Scale, split


def proportion_rule(planned: float, rate: float | None = None) -> Rule:
    """Return the rule that a plan gives a proportion."""
    return primary_rule("Proportion", alpha=ALPHA, planned_units=planned, base_rate=rate)


def drawn_rule(world: World, planned: float) -> Rule:
    """Return the rule that a plan gives a mean, ratio or adjusted mean."""
    rule = primary_rule("Mean", alpha=ALPHA, planned_units=planned)
    if isinstance(world, RatioOfMeans):
        return replace(rule, type="Ratio")
    return replace(rule, type="Cuped") if isinstance(world, Cuped) else rule


def proportions(scale: Scale) -> Iterator[RateCheck]:
    """Proportions: every rate, split and method without a difference."""
    for rate, per_look in ((0.05, 1000), (0.01, 200)):
        for weights in SPLITS:
            for rule in (proportion_rule(100 * per_look), proportion_rule(100 * per_look, rate)):
                design = Design(Bernoulli(rate), rule, (per_look,) * 100, weights)
                yield _error(f"Bernoulli {rate}, {split(weights)}, {rule.method}", design, scale.runs, scale)


def heavy(scale: Scale) -> Iterator[RateCheck]:
    """Means, ratios and adjusted means, light and heavy tails."""
    worlds: dict[str, World] = {
        "log-normal 1.5": LogNormal(),
        "log-normal 1.5 capped at .99": LogNormal(capped=0.99),
        "5% spenders": Spenders(),
        "ratio": RatioOfMeans(),
        "CUPED": Cuped(),
    }
    for name, world in worlds.items():
        for weights in SPLITS:
            design = Design(world, drawn_rule(world, 10_000), (100,) * 100, weights)
            yield _error(f"{name}, {split(weights)}", design, scale.drawn, scale)


def growing(scale: Scale) -> Iterator[RateCheck]:
    """The same units at every look, whose values go on growing: information grows, their number does not."""
    rng = np.random.default_rng(6)
    for weights in SPLITS[:2]:
        runs = scale.drawn
        decided = sum(_decided_on_growth(weights[1] / 100, rng) for _ in range(runs))
        yield RateCheck(
            f"2,000 units, amounts growing 100-fold, {split(weights)}", decided / runs, ALPHA, runs, "at most"
        )


def _decided_on_growth(share: float, rng: np.random.Generator) -> bool:
    rule, treated = primary_rule("Mean", alpha=ALPHA), rng.random(2000) < share
    values, peak = np.zeros(2000), Peak()
    for _ in range(100):
        values += rng.exponential(1.0, 2000)
        control, treatment = (
            Moments(len(x), float(x.sum()), float(x @ x)) for x in (values[~treated], values[treated])
        )
        evidence = evaluate(rule, control, treatment, share, peak=peak)
        if evidence.decided:
            return True
        peak = evidence.peak
    return False


def early(scale: Scale) -> Iterator[RateCheck]:
    """Looks from the first units on, where harm alone may be decided: no world is taken for a failure."""
    worlds: dict[str, World] = {
        "Bernoulli 0.3": Bernoulli(0.3),
        "Bernoulli 0.02": Bernoulli(0.02),
        "Bernoulli 0.9": Bernoulli(0.9),
        "log-normal 1.5": LogNormal(),
        "5% spenders": Spenders(),
    }
    for name, world in worlds.items():
        for weights in SPLITS:
            binary = isinstance(world, Bernoulli)
            rule = proportion_rule(10_000) if binary else drawn_rule(world, 10_000)
            for direction in ("Increase", "Decrease"):
                design = Design(world, replace(rule, direction=direction), (20,) * 60, weights)
                title = f"{name}, {split(weights)}, {direction}, looks of 20 units"
                yield _error(title, design, scale.drawn * (4 if binary else 1), scale)


def shapes(scale: Scale) -> Iterator[RateCheck]:
    """More arms, more looks, a growing coverage, other designs."""
    plan = proportion_rule(100_000)
    rare = proportion_rule(100_000, 0.05)
    steady = (1000,) * 100
    ramp = (50,) * 25 + (200,) * 25 + (1000,) * 50
    rising = Bernoulli(0.03, trend=3.0)
    week = (50,) * 10_000
    designs = {
        "3 arms, Holm": Design(Bernoulli(0.05), plan, steady, (40, 30, 30), (0.0, 0.0)),
        "3 arms, Holm, BetaBinomial": Design(Bernoulli(0.05), rare, steady, (40, 30, 30), (0.0, 0.0)),
        "ramped coverage, rate rising to 3x": Design(rising, plan, ramp),
        "ramped coverage, rate rising to 3x, BetaBinomial": Design(rising, rare, ramp),
        "fixed horizon": Design(Bernoulli(0.05), Fixed(), steady),
        "group sequential, OF, 5 looks": Design(Bernoulli(0.05), Staged(), steady),
        "group sequential, OF, 20 looks": Design(Bernoulli(0.05), Staged(looks=20), steady),
        "group sequential, Pocock, 5 looks": Design(
            Bernoulli(0.05), Staged(spending=Spending("Pocock")), steady
        ),
        "group sequential, OF, 20 looks, Bernoulli .01 at 99:1": Design(
            Bernoulli(0.01), Staged(looks=20), steady, (99, 1)
        ),
    }
    for name, design in designs.items():
        yield _error(name, design, scale.runs, scale)
    for rule in (proportion_rule(500_000), proportion_rule(500_000, 0.05)):
        yield _error(f"10,000 looks, {rule.method}", Design(Bernoulli(0.05), rule, week), scale.long, scale)


def powers(scale: Scale) -> Iterator[RateCheck]:
    """Power at the effect that one look at the end sees with 80%, or at 3.9 standard errors."""
    steady, effect = (1000,) * 100, minimum_detectable_effect(0.05, 100_000) / 0.05
    table: tuple[tuple[str, Design, float], ...] = (
        (
            "AsymptoticCS, 80% MDE",
            Design(Bernoulli(0.05), proportion_rule(100_000), steady, effects=(effect,)),
            0.50,
        ),
        ("one look, 80% MDE", Design(Bernoulli(0.05), Fixed(), steady, effects=(effect,)), 0.80),
        ("OF 5 looks, 80% MDE", Design(Bernoulli(0.05), Staged(), steady, effects=(effect,)), 0.785),
        ("OF 20 looks, 80% MDE", Design(Bernoulli(0.05), Staged(looks=20), steady, effects=(effect,)), 0.77),
    )
    for name, design, bar in table:
        yield _power(name, design, bar, scale)
    if scale.runs > QUICK.runs:
        often = Staged(looks=100, spending=Spending("Pocock"))
        yield _power(
            "Pocock 100 looks, 80% MDE",
            Design(Bernoulli(0.05), often, steady, effects=(effect,)),
            0.68,
            scale,
        )
    rows = (
        (0.01, (50.0, 50.0), 0.69),
        (0.01, (95.0, 5.0), 0.59),
        (0.05, (50.0, 50.0), 0.80),
        (0.05, (95.0, 5.0), 0.74),
    )
    for rate, weights, bar in rows:
        share = weights[1] / 100
        gap = 3.9 * sqrt(rate * (1 - rate) / 20_000 / share / (1 - share))
        design = Design(Bernoulli(rate), proportion_rule(20_000, rate), (200,) * 100, weights, (gap / rate,))
        yield _power(f"BetaBinomial, Bernoulli {rate}, {split(weights)}, 3.9 SE", design, bar, scale)


def warnings(scale: Scale) -> Iterator[RateCheck]:
    """What must not be done, on the same data."""
    steady = (1000,) * 100
    for name, test in (
        ("z test at every look", Naive()),
        ("P(B > A) beyond .95 at every look", Posterior()),
        ("z test, Bonferroni over looks", Naive(bonferroni=True)),
    ):
        found = simulate(Design(Bernoulli(0.05), test, steady), runs=scale.runs, cores=scale.cores)
        yield RateCheck(name, found.decided.value, ALPHA, found.runs, "shown", found.mean_stop)


def _error(name: str, design: Design, runs: int, scale: Scale) -> RateCheck:
    found = simulate(design, runs=runs, cores=scale.cores)
    return RateCheck(name, found.decided.value, ALPHA, found.runs, "at most", found.mean_stop)


def _power(name: str, design: Design, bar: float, scale: Scale) -> RateCheck:
    found = simulate(design, runs=scale.runs, cores=scale.cores)
    return RateCheck(f"power, {name}", found.better.value, bar, found.runs, "at least", found.mean_stop)
