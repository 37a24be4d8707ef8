"""What is shown: the difference and the lift, with sequences that hold at every look at once."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from assay_stats.effect import Effect
from assay_stats.evidence import Evidence, Peak, evaluate
from assay_stats.guardrail import shown
from assay_stats.moments import Moments
from assay_stats.rule import GuardrailRule, Rule, guardrail_rule, primary_rule
from assay_stats.validation.claim import ALPHA, SPLITS, RateCheck, Scale, split

GROWTH = tuple(round(20 * 1.2**k) for k in range(35))
"""Units of both arms between looks: 20 at first, 59,000 in the end; at first events are few."""
SLACK = 1e-9
Draw = Callable[[np.random.Generator, int], Moments]


class Truth(NamedTuple):
    """What the arms do, and their true means."""

    control: Draw
    treatment: Draw
    means: tuple[float, float]


def coverage(scale: Scale) -> Iterator[RateCheck]:
    """The truth is missed at any of the looks, for every rule and split, with and without an effect."""
    rng, runs = np.random.default_rng(5), scale.drawn // 5
    for name, rule, truth in _cases():
        for weights in SPLITS:
            share = weights[1] / 100
            missed = np.array([_missed(rule, truth, share, rng) for _ in range(runs)]).mean(axis=0)
            for what, rate in zip(("difference", "lift"), missed, strict=True):
                title = f"sequence of the {what} misses the truth: {name}, {split(weights)}"
                yield RateCheck(title, float(rate), ALPHA, runs, "at most")


def _cases() -> Iterator[tuple[str, Rule | GuardrailRule, Truth]]:
    for rate, after in ((0.3, 0.3), (0.3, 0.45), (0.02, 0.02)):
        rule = primary_rule("Proportion", alpha=ALPHA, planned_units=6000)
        yield f"AsymptoticCS, {rate} and {after}", rule, rates(rate, after)
    for rate, after in ((0.002, 0.002), (0.01, 0.02), (0.05, 0.025), (0.96, 0.98)):
        rule = primary_rule("Proportion", alpha=ALPHA, planned_units=6000, base_rate=rate)
        yield f"BetaBinomial, {rate} and {after}", rule, rates(rate, after)
    for effect in (1.0, 1.5):
        rule = primary_rule("Mean", alpha=ALPHA, planned_units=6000)
        yield f"AsymptoticCS, amounts, times {effect}", rule, amounts(effect)
    for rate, after in ((0.005, 0.005), (0.02, 0.04), (0.04, 0.02)):
        exact = guardrail_rule("Proportion", alpha=ALPHA, absolute=0.02)
        yield f"guardrail by ExactMargin, {rate} and {after}", exact, rates(rate, after)
        relative = guardrail_rule("Proportion", alpha=ALPHA, relative=0.2)
        yield f"guardrail by BetaBinomial, {rate} and {after}", relative, rates(rate, after)
    good = guardrail_rule("Proportion", alpha=ALPHA, absolute=0.02, direction="Increase")
    yield "guardrail by ExactMargin, good 0.97 and 0.95", good, rates(0.97, 0.95)
    common = guardrail_rule("Proportion", alpha=ALPHA, absolute=0.02, base_rate=0.3, planned_units=6000)
    yield "guardrail by AsymptoticCS, 0.3 and 0.32", common, rates(0.3, 0.32)
    costs = guardrail_rule("Mean", alpha=ALPHA, relative=0.1, planned_units=6000)
    yield "guardrail by AsymptoticCS, amounts, times 1.1", costs, amounts(1.1)


def rates(control: float, treatment: float) -> Truth:
    """Return arms whose units have the event with these probabilities."""

    def draw(p: float) -> Draw:
        return lambda rng, n: Moments.proportion(n, float(rng.binomial(n, p)))

    return Truth(draw(control), draw(treatment), (control, treatment))


def amounts(effect: float) -> Truth:
    """Return arms with exponential amounts, `effect` times as large in the treatment."""

    def draw(mean: float) -> Draw:
        def summed(rng: np.random.Generator, n: int) -> Moments:
            values = rng.exponential(mean, n)
            return Moments(n, float(values.sum()), float(values @ values))

        return summed

    return Truth(draw(10.0), draw(10.0 * effect), (10.0, 10.0 * effect))


def _missed(
    rule: Rule | GuardrailRule, truth: Truth, share: float, rng: np.random.Generator
) -> tuple[bool, bool]:
    control = treatment = Moments(0, 0.0)
    peak, missed, (m, t) = Peak(), [False, False], truth.means
    for units in GROWTH:
        n = int(rng.binomial(units, share))
        control = control.merge(truth.control(rng, units - n))
        treatment = treatment.merge(truth.treatment(rng, n))
        if isinstance(rule, Rule):
            evidence = evaluate(rule, control, treatment, share, peak=peak)
            peak, found = evidence.peak, of(evidence)
        else:
            found = shown(rule, control, treatment, share)
        missed[0] |= not found.low - SLACK <= t - m <= found.high + SLACK
        missed[1] |= not found.lift_low - SLACK <= t / m - 1 <= found.lift_high + SLACK
    return missed[0], missed[1]


def of(evidence: Evidence) -> Effect:
    """Return what is shown of the evidence."""
    ends = (evidence.lift.low, evidence.lift.high) if evidence.lift else (-np.inf, np.inf)
    return Effect(evidence.low, evidence.high, *ends)
