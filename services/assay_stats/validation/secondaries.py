"""RateChecks about secondary metrics: e-BH over all of them, looked at all the time."""

from collections.abc import Iterator

import numpy as np

from assay_stats.evidence import evaluate
from assay_stats.moments import Moments
from assay_stats.multiplicity import e_bh
from assay_stats.rule import primary_rule
from assay_stats.validation.claim import ALPHA, RateCheck, Scale

METRICS = 10
LOOKS = (100,) * 40


def discoveries(scale: Scale) -> Iterator[RateCheck]:
    """Stop at the first word: without any effect, and where a fifth of the metrics has one."""
    rng, runs = np.random.default_rng(8), scale.drawn // 5
    for effects in (0, 2):
        found = np.array([_false_share(effects, rng) for _ in range(runs)])
        name = f"false discoveries by e-BH, stopped at the first, {METRICS} metrics, {effects} with an effect"
        yield RateCheck(name, float(found.mean()), ALPHA, runs, "at most")


def _false_share(effects: int, rng: np.random.Generator) -> float:
    """Return the false part of what is called a difference at the first look that calls any."""
    rates = np.array([0.3] * METRICS), np.array([0.45] * effects + [0.3] * (METRICS - effects))
    rule, n, events = primary_rule("Proportion", alpha=ALPHA), 0, np.zeros((2, METRICS))
    for units in LOOKS:
        n += units // 2
        events += rng.binomial(units // 2, rates)
        sums = [[Moments.proportion(n, float(k)) for k in pair] for pair in events.T]
        evidence = [evaluate(rule, control, treatment, 0.5) for control, treatment in sums]
        found = e_bh([one.e_value for one in evidence], ALPHA)
        if any(found):
            return sum(found[effects:]) / sum(found)
    return 0.0
