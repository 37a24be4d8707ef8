"""Whole Experiments through the live decision path: `make validate` in short, and what must never be."""

import os
from collections.abc import Callable, Iterator
from math import inf, isfinite
from typing import Any

import decision_runs
import numpy as np
import pytest
from decision_runs import SOURCES, Row, claims, experiment_facts, spec
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from assay_api import ExperimentSpec
from assay_api.evidence import Peak
from assay_operator.decide.analysis import plan, reached
from assay_operator.decide.decision import Decision
from assay_operator.decide.experiment_facts import DataQuality, ExperimentFacts
from assay_operator.decide.reporting import analyses
from assay_operator.decide.verdict import decide
from assay_stats import Moments

SPECS = 3 if os.environ.get("ASSAY_PROFILE") == "long" else 1  # of each seed; the long form has 5,000
LOOKS = 5


@pytest.mark.parametrize("group", [decision_runs.failures, decision_runs.several, decision_runs.growing])
def test_a_short_validation_holds_every_bar(group: Callable[[], Iterator[Row]]) -> None:
    broken = [claim for claim in claims(3, [group]) if not claim.holds]
    assert not broken


def a_size(rng: np.random.Generator) -> dict[str, float]:
    return {"relative": round(float(rng.uniform(0.01, 0.9)), 3)} if rng.random() < 0.4 else {
        "absolute": round(float(rng.choice([0.001, 0.01, 0.02, 0.1, 0.4])), 3)
    }  # fmt: skip


def a_metric(rng: np.random.Generator, name: str, *, guard: bool) -> dict[str, Any]:
    """Draw a metric that the API accepts."""
    source = str(rng.choice([s for s in SOURCES if guard or s != "Gateway"]))
    metric = SOURCES[source] | {"name": name}
    kind = "Proportion" if source == "Gateway" or rng.random() < 0.6 else "Mean"
    direction = "Decrease" if source == "Gateway" or rng.random() < 0.5 else "Increase"
    metric |= {"type": kind, "direction": direction}
    if rng.random() < 0.5:
        baseline = rng.choice([0.01, 0.05, 0.3, 0.6]) if kind == "Proportion" else rng.uniform(1, 50)
        metric["baseline"] = round(float(baseline), 3)
    if guard:
        metric["margin"] = a_size(rng)
    return metric


def an_experiment(rng: np.random.Generator) -> ExperimentSpec:
    """Draw until the API accepts it: 2 to 5 arms, with or without a primary, up to three guardrails."""
    while True:
        try:
            return any_experiment(rng)
        except ValidationError:
            continue


def any_experiment(rng: np.random.Generator) -> ExperimentSpec:
    candidates = int(rng.integers(1, 5))
    each = int(rng.choice([1, 5, 100 // (candidates + 1)]))
    weights = (100 - each * candidates, *[each] * candidates)
    guards = [a_metric(rng, f"g{i}", guard=True) for i in range(int(rng.integers(0, 4)))]
    metrics: dict[str, Any] = {"guardrails": guards}
    if not guards or rng.random() < 0.6:
        metrics["primary"] = a_metric(rng, "m", guard=False)
    ends = {
        "onInconclusive": str(rng.choice(["Promote", "KeepControl"])),
        "maxUnits": int(rng.choice([0, 500])),
    }
    return spec(metrics, weights, alpha=float(rng.choice([0.001, 0.05, 0.2, 0.49])), **ends)


def some_sums(rng: np.random.Generator, kind: str, n: int) -> Moments:
    """Draw sums that data can have, the edges among them: none, all, equal, huge, tiny, negative."""
    if kind == "Proportion":
        events = rng.choice(
            [0, n, int(rng.integers(0, n + 1)), int(rng.binomial(n, rng.choice([0.01, 0.3])))]
        )
        return Moments.proportion(n, float(events))
    if not n:
        return Moments(0, 0.0, 0.0)
    mean = float(rng.choice([0.0, 1.0, -5.0, 1e-6, 1e9])) * float(rng.choice([1.0, 1.1, rng.random()]))
    spread = float(rng.choice([0.0, abs(mean), 1.0, 1e3]))
    return Moments(n, n * mean, n * mean**2 + max(n - 1, 0) * spread**2)


def some_units(rng: np.random.Generator) -> int:
    return int(rng.choice([0, 1, 5, 30, 200, 5000, 1_000_000]))


@given(seed=st.integers(0, 2**32 - 1))
def test_nothing_that_is_refuted_is_ever_promoted(seed: int) -> None:
    """Random specs and sums, several looks each: no exception, no NaN, no contradiction."""
    rng = np.random.default_rng(seed)
    for _ in range(SPECS):
        design = an_experiment(rng)
        fixed, dropped = plan(design), frozenset[str]()
        peaks: tuple[Peak, ...] = ()
        for _look in range(LOOKS):
            counts = {
                metric.name: [some_sums(rng, metric.type, some_units(rng)) for _arm in design.arms]
                for metric in design.metrics.every
            }
            facts = experiment_facts(
                design, counts, plan=fixed, peaks=peaks, dropped=dropped, quality=sound(design)
            )
            decision = decide(facts)
            _check(facts, decision)
            peaks = tuple(reached(reading) for reading in facts.readings)
            dropped |= {decision.arm} if decision.kind == "Drop" else set()


def sound(design: ExperimentSpec) -> DataQuality:
    return experiment_facts(
        design, {"m": [Moments(arm.weight, 0.0) for arm in design.arms]}, readings=()
    ).quality


def _check_report(facts: ExperimentFacts) -> None:
    assert facts.plan is not None
    for line in analyses(facts.spec, facts.plan, facts.readings):
        numbers = {k: v for k, v in line.model_dump().items() if isinstance(v, float)}
        assert all(map(isfinite, numbers.values()))
        assert numbers.get("low", -inf) <= numbers.get("high", inf)
        assert numbers.get("lift_low", -inf) <= numbers.get("lift_high", inf)


def _check(facts: ExperimentFacts, decision: Decision) -> None:
    assert decision.message
    assert "nan" not in decision.message
    _check_report(facts)
    for reading in facts.readings:
        if reading.harm and reading.non_inferiority:
            assert not (reading.harm.breached and reading.non_inferiority.passed)
            assert 0 <= reading.harm.p_value <= 1
        if reading.evidence:
            assert 0 <= reading.evidence.p_value <= 1
            assert reading.evidence.low <= reading.evidence.high
    if decision.winner is None:
        return
    (arm,) = [arm.name for arm in facts.spec.arms if arm.version == decision.winner]
    assert arm not in facts.dropped
    for reading in (*facts.of("Primary"), *facts.of("Guardrail")):
        if reading.arm == arm:
            assert not (reading.harm and reading.harm.breached), decision.message
            assert not (reading.evidence and reading.evidence.decided == "worse"), decision.message
            if decision.kind == "Promote":
                assert not reading.non_inferiority or reading.non_inferiority.passed
                assert not reading.evidence or reading.evidence.decided == "better"
