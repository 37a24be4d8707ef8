"""Does it hold what it promises? `python -m assay_stats.validation [--quick] [--cores N]`.

Runs the installed rules on data whose truth is known and holds each figure against its bar: at most the
claimed level plus three Monte-Carlo errors for false positives, at least the expected power less three
for power. Prints a Markdown table; exits with 1 if any bar is broken.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import sqrt
from typing import NamedTuple

import numpy as np

from assay_stats import guardrail_rule, harm, minimum_detectable_effect, primary_rule, threshold
from assay_stats.groupsequential import Spending
from assay_stats.guardrail import log_safety
from assay_stats.moments import Moments
from assay_stats.rule import GuardrailRule, Rule
from assay_stats.sampleratio import log_average
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
from assay_stats.simulation.worlds import Draw, World

ALPHA = 0.05
SPLITS = ((50.0, 50.0), (95.0, 5.0), (99.0, 1.0))
THRESHOLD_LOOKS = 60


class Claim(NamedTuple):
    """A figure and the bar it is held against.

    Attributes:
        name: What was simulated.
        value: The frequency found.
        bar: What it may be at most (or at least).
        runs: Experiments.
        kind: "at most", "at least", or "shown" for what is only there to warn.
        stop: Mean part of the units after which it was decided; None where that has no meaning.
    """

    name: str
    value: float
    bar: float
    runs: int
    kind: str
    stop: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure keeps to its bar within three Monte-Carlo errors."""
        slack = 3 * sqrt(self.bar * (1 - self.bar) / self.runs)
        if self.kind == "shown":
            return True
        return self.value <= self.bar + slack if self.kind == "at most" else self.value >= self.bar - slack


class Scale(NamedTuple):
    """How much to simulate: runs of cheap sums, runs that draw every unit, long runs, cores."""

    runs: int
    drawn: int
    long: int
    cores: int


QUICK = Scale(runs=300, drawn=40, long=20, cores=1)
FULL = Scale(runs=10_000, drawn=1000, long=1000, cores=2)


def proportion_rule(planned: float, rate: float | None = None) -> Rule:
    """Return the rule that a plan gives a proportion."""
    return primary_rule("Proportion", alpha=ALPHA, planned_units=planned, base_rate=rate)


def drawn_rule(world: World, planned: float) -> Rule:
    """Return the rule that a plan gives a mean, ratio or adjusted mean."""
    rule = primary_rule("Mean", alpha=ALPHA, planned_units=planned)
    if isinstance(world, RatioOfMeans):
        return replace(rule, type="Ratio")
    return replace(rule, type="Cuped") if isinstance(world, Cuped) else rule


def proportions(scale: Scale) -> Iterator[Claim]:
    """Proportions: every rate, split and method without a difference."""
    for rate, per_look in ((0.05, 1000), (0.01, 200)):
        for weights in SPLITS:
            for rule in (proportion_rule(100 * per_look), proportion_rule(100 * per_look, rate)):
                design = Design(Bernoulli(rate), rule, (per_look,) * 100, weights)
                yield _error(f"Bernoulli {rate}, {_split(weights)}, {rule.method}", design, scale.runs, scale)


def heavy(scale: Scale) -> Iterator[Claim]:
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
            yield _error(f"{name}, {_split(weights)}", design, scale.drawn, scale)


def shapes(scale: Scale) -> Iterator[Claim]:
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


def powers(scale: Scale) -> Iterator[Claim]:
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
        yield _power(f"BetaBinomial, Bernoulli {rate}, {_split(weights)}, 3.9 SE", design, bar, scale)


def warnings(scale: Scale) -> Iterator[Claim]:
    """What must not be done, on the same data."""
    steady = (1000,) * 100
    for name, test in (
        ("z test at every look", Naive()),
        ("P(B > A) beyond .95 at every look", Posterior()),
        ("z test, Bonferroni over looks", Naive(bonferroni=True)),
    ):
        found = simulate(Design(Bernoulli(0.05), test, steady), runs=scale.runs, cores=scale.cores)
        yield Claim(name, found.decided.value, ALPHA, found.runs, "shown", found.mean_stop)


def guardrails(scale: Scale) -> Iterator[Claim]:
    """False rollbacks at the margin, false clearances at the margin, and the rates of a healthy candidate."""
    rows: tuple[tuple[str, GuardrailRule, float, float], ...] = (
        ("no margin", guardrail_rule("Proportion", alpha=ALPHA), 0.02, 0.02),
        ("relative .2", guardrail_rule("Proportion", alpha=ALPHA, relative=0.2), 0.02, 0.024),
        ("absolute .01", guardrail_rule("Proportion", alpha=ALPHA, absolute=0.01), 0.005, 0.015),
        (
            "absolute .02, common",
            guardrail_rule("Proportion", alpha=ALPHA, absolute=0.02, base_rate=0.3, planned_units=20_000),
            0.3,
            0.32,
        ),
    )
    for name, rule, control, treatment in rows:
        for share in (0.05, 0.5):
            worse = _guarded(rule, (control, treatment), share, scale, lambda *a: harm(*a).breached)
            yield Claim(
                f"rollback at the margin: {name}, share {share}", worse, ALPHA, scale.drawn * 4, "at most"
            )
            if not rule.absolute and not rule.relative:
                continue
            fine = _guarded(
                rule, (control, treatment), share, scale, lambda *a: log_safety(*a) >= threshold(ALPHA)
            )
            yield Claim(
                f"cleared at the margin: {name}, share {share}", fine, ALPHA, scale.drawn * 4, "at most"
            )


def healthy(scale: Scale) -> Iterator[Claim]:
    """A healthy candidate at 99.5% success, 60 requests an interval, over 25 intervals."""
    rule = guardrail_rule("Proportion", alpha=ALPHA)
    rolled = _guarded(rule, (0.005, 0.005), 0.5, scale, lambda *a: harm(*a).breached, units=(60,) * 25)
    yield Claim("healthy candidate rolled back, 99.5% success", rolled, ALPHA, scale.drawn * 4, "at most")


def sample_ratio(scale: Scale) -> Iterator[Claim]:
    """The split: false alarms over 1,000 looks at .001, and the power to see 51:49."""
    for name, parts, kind, bar in (
        ("SRM false alarms, 90:10, 1,000 looks", (0.9, 0.1), "at most", 0.001),
        ("SRM seen, 51:49 in 200,000 units", (0.51, 0.49), "at least", 0.99),
    ):
        declared = [0.9, 0.1] if kind == "at most" else [0.5, 0.5]
        rng = np.random.default_rng(7)
        runs = max(20, scale.drawn // 2)
        counts = rng.multinomial(200, parts, size=(runs, 1000)).cumsum(axis=1)
        flagged = [_flagged(run[::10], declared) for run in counts]
        yield Claim(name, float(np.mean(flagged)), bar, runs, kind)


def _flagged(counts: "np.ndarray[tuple[int, int], np.dtype[np.int64]]", parts: Sequence[float]) -> bool:
    return any(log_average([float(n) for n in look], parts) >= -np.log(0.001) for look in counts)


def _guarded(
    rule: GuardrailRule,
    rates: tuple[float, float],
    share: float,
    scale: Scale,
    answer: Callable[[GuardrailRule, Moments, Moments, float], bool],
    *,
    units: tuple[int, ...] = (200,) * THRESHOLD_LOOKS,
) -> float:
    runs = scale.drawn * 4
    draw = Draw(runs, units, (1 - share, share), (0.0, rates[1] / rates[0] - 1))
    control, treatment = Bernoulli(rates[0]).draw(np.random.default_rng(11), draw)

    def once(run: int) -> bool:
        looks = zip(control.n[run], control.total[run], treatment.n[run], treatment.total[run], strict=True)
        return any(answer(rule, Moments(int(m), a), Moments(int(n), b), share) for m, a, n, b in looks)

    return sum(once(run) for run in range(runs)) / runs


def _error(name: str, design: Design, runs: int, scale: Scale) -> Claim:
    found = simulate(design, runs=runs, cores=scale.cores)
    return Claim(name, found.decided.value, ALPHA, found.runs, "at most", found.mean_stop)


def _power(name: str, design: Design, bar: float, scale: Scale) -> Claim:
    found = simulate(design, runs=scale.runs, cores=scale.cores)
    return Claim(f"power, {name}", found.better.value, bar, found.runs, "at least", found.mean_stop)


def _split(weights: Sequence[float]) -> str:
    return ":".join(f"{weight:g}" for weight in weights)


GROUPS = (proportions, heavy, shapes, powers, guardrails, healthy, sample_ratio, warnings)


def claims(scale: Scale) -> Iterator[Claim]:
    """Return every claim, as it is found."""
    for group in GROUPS:
        yield from group(scale)


def line(claim: Claim) -> str:
    """Return a row of the table."""
    stop = "" if claim.stop is None else f"{claim.stop:.2f}"
    verdict = "" if claim.kind == "shown" else "ok" if claim.holds else "BROKEN"
    bar = "" if claim.kind == "shown" else f"{claim.kind} {claim.bar:g}"
    return f"| {claim.name} | {claim.value:.4f} | {bar} | {stop} | {claim.runs} | {verdict} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 if every bar holds."""
    parser = argparse.ArgumentParser(prog="python -m assay_stats.validation", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, wider Monte-Carlo errors")
    parser.add_argument("--cores", type=int, default=0, help="processes; 0: one for --quick, else two")
    options = parser.parse_args(arguments)
    scale = QUICK if options.quick else FULL
    scale = scale._replace(cores=options.cores or scale.cores)
    print("| simulated | found | bar | mean stop | runs | |\n|---|---|---|---|---|---|")
    broken = 0
    for claim in claims(scale):
        print(line(claim), flush=True)
        broken += not claim.holds
    print(f"\n{broken} bars broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
