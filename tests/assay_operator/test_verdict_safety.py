"""Harm that is obvious, arms that lose, and ends without a verdict: nothing that is refuted is promoted."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assay_api import ExperimentSpec
from assay_api.names import SETTLED, mature
from assay_operator.decide.analysis import plan, reached, readings
from assay_operator.decide.experiment_facts import ArmCounts, DataQuality, ExperimentFacts
from assay_operator.decide.maturity import finding
from assay_operator.decide.verdict import decide
from assay_stats import Moments, srm

START = datetime(2026, 1, 1, tzinfo=UTC)
QUERY = {"count": "x", "sum": "y", "sumOfSquares": "z"}
SOURCES: Mapping[str, dict[str, Any]] = {
    "Events": {"source": "Events"},
    "Events, Ignore": {"source": "Events", "missing": "Ignore"},
    "Prometheus": {"source": "Prometheus", "prometheus": QUERY},
    "SQL": {"source": "SQL", "sql": {"urlSecretRef": {"name": "w"}, "query": "select 1"}},
    "Gateway": {"source": "Gateway"},
}
MARGINS = {"absolute": {"absolute": 0.02}, "relative": {"relative": 0.2}}
SPLITS = {"95:5": (95, 5), "50:50": (50, 50), "99:1": (99, 1)}


def spec(metrics: dict[str, Any], weights: tuple[int, ...] = (50, 50), **decision: Any) -> ExperimentSpec:
    names = ("control", "one", "two", "three", "four")
    arms = [
        {"name": name, "version": f"churn-{i}", "weight": weight}
        for i, (name, weight) in enumerate(zip(names, weights, strict=False))
    ]
    return ExperimentSpec.model_validate(
        {
            "modelRef": {"name": "churn"},
            "arms": arms,
            "ramp": [{"percent": 1}],
            "metrics": metrics,
            "decision": {"minDuration": "1h", "maxDuration": "1d"} | decision,
        }
    )


def facts(design: ExperimentSpec, counts: Mapping[str, tuple[Moments, ...]], **more: Any) -> ExperimentFacts:
    """An Experiment at its last step, after two hours; one tuple of an arm's moments for each metric."""
    units = [max(c[i].n for c in counts.values()) for i in range(len(design.arms))]
    at_once = {mature(name): counts[name] for name in plan(design).lags if name in counts}
    counts = {**at_once, **counts}
    arms = tuple(
        ArmCounts(
            arm.name,
            arm.version,
            n,
            {SETTLED: Moments.proportion(n, 0)} | {name: c[i] for name, c in counts.items()},
        )
        for i, (arm, n) in enumerate(zip(design.arms, units, strict=True))
    )
    split = srm({arm.name: arm.units for arm in arms}, design.weights, 0.001)
    usual = ExperimentFacts(
        spec=design,
        now=START + timedelta(hours=2),
        started_at=START,
        step=len(design.ramp) - 1,
        step_started_at=START,
        arms=arms,
        readings=readings(design, plan(design), arms, more.get("peaks", ())),
        quality=DataQuality(srm=split, data_age=1.0),
    )
    return replace(usual, **more)


def rates(n: int, part: float) -> Moments:
    return Moments.proportion(n, round(n * part))


def amounts(n: int, mean: float, deviation: float = 0.0) -> Moments:
    return Moments(n, n * mean, (n - 1) * deviation**2 + n * mean**2)


def failing() -> list[Any]:
    """Every source, type, margin, direction and baseline: the candidate fails with all of its units."""
    cases = []
    for source, design in SOURCES.items():
        rising = () if source == "Gateway" else (("Increase", None), ("Increase", 0.99), ("Increase", 0.6))
        for margin, size in MARGINS.items():
            for direction, baseline in (("Decrease", None), ("Decrease", 0.01), ("Decrease", 0.1), *rising):
                metric = design | {"name": "m", "margin": size, "direction": direction}
                metric |= {} if baseline is None else {"baseline": baseline}
                good, bad = (0.01, 1.0) if direction == "Decrease" else (0.99, 0.0)
                name = f"{source}, {margin} margin, {direction}, baseline {baseline}"
                cases.append(pytest.param(metric, good, bad, id=name))
    return cases


@pytest.mark.parametrize("weights", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize(("metric", "good", "bad"), failing())
def test_a_guardrail_sees_total_failure_within_30_units(
    metric: dict[str, Any], good: float, bad: float, weights: tuple[int, int]
) -> None:
    others = [{"name": f"g{i}", "source": "Gateway", "margin": {"absolute": 0.02}} for i in range(4)]
    design = spec({"guardrails": [metric, *others]}, weights)
    for n, kind in ((30, "RollBack"), (5000, "RollBack")):
        m = n * weights[0] // weights[1]
        fine = {f"g{i}": (rates(m, 0), rates(n, 0)) for i in range(4)}
        outcome = decide(facts(design, {"m": (rates(m, good), rates(n, bad))} | fine))
        assert (outcome.kind, outcome.reason) == (kind, "GuardrailBreached")


MEANS = {name: source for name, source in SOURCES.items() if name != "Gateway"}


@pytest.mark.parametrize("weights", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("source", MEANS.values(), ids=MEANS)
@pytest.mark.parametrize(
    ("direction", "control", "candidate"),
    [
        pytest.param("Decrease", (0.1, 0.05), (30.0, 0.0), id="every answer runs into its time-out"),
        pytest.param("Decrease", (0.0, 0.0), (1.0, 0.0), id="no spread in either arm"),
        pytest.param("Increase", (5.0, 2.0), (0.0, 0.0), id="nothing is bought any more"),
        pytest.param("Increase", (1.0, 0.0), (0.0, 0.0), id="all or nothing"),
    ],
)
@pytest.mark.parametrize("role", ["guardrail", "primary"])
def test_a_mean_sees_total_failure_within_30_units(  # noqa: PLR0917 - a table of four axes
    source: dict[str, Any],
    direction: str,
    control: tuple[float, float],
    candidate: tuple[float, float],
    weights: tuple[int, int],
    role: str,
) -> None:
    metric = source | {"name": "m", "type": "Mean", "direction": direction}
    guardrail = {"guardrails": [metric | {"margin": {"relative": 0.1}}]}
    design = spec(guardrail if role == "guardrail" else {"primary": metric}, weights)
    for n in (30, 5000):
        m = n * weights[0] // weights[1]
        outcome = decide(facts(design, {"m": (amounts(m, *control), amounts(n, *candidate))}))
        assert outcome.kind == "RollBack", outcome.message


@pytest.mark.parametrize("weights", SPLITS.values(), ids=SPLITS)
@pytest.mark.parametrize("source", MEANS.values(), ids=MEANS)
@pytest.mark.parametrize("baseline", [None, 0.6])
@pytest.mark.parametrize("direction", ["Increase", "Decrease"])
def test_a_primary_sees_total_failure_within_30_units(
    source: dict[str, Any], baseline: float | None, direction: str, weights: tuple[int, int]
) -> None:
    metric = source | {"name": "m", "direction": direction}
    design = spec({"primary": metric | ({} if baseline is None else {"baseline": baseline})}, weights)
    good, bad = (0.6, 0.0) if direction == "Increase" else (0.0, 1.0)
    for n in (30, 5000):
        m = n * weights[0] // weights[1]
        outcome = decide(facts(design, {"m": (rates(m, good), rates(n, bad))}))
        assert (outcome.kind, outcome.reason) == ("RollBack", "PrimaryWorse")


PRIMARY = {"name": "m"}
ERRORS = {"name": "errors", "margin": {"absolute": 0.02}}
LATE = {"now": START + timedelta(days=2)}
BOTH: dict[str, Any] = {"primary": PRIMARY, "guardrails": [ERRORS]}


def many(*arms: tuple[float, float], n: int = 4000) -> dict[str, tuple[Moments, ...]]:
    """Rates of the primary and of errors, by arm."""
    return {"m": tuple(rates(n, m) for m, _ in arms), "errors": tuple(rates(n, e) for _, e in arms)}


def test_harm_that_was_shown_once_is_no_clearance_later() -> None:
    """The evidence of an earlier look stays, and the same guardrail is never both breached and cleared."""
    design = spec({"guardrails": [ERRORS]})
    early = facts(design, {"errors": (rates(300, 0), rates(300, 0.3))})
    later = facts(
        design,
        {"errors": (rates(9000, 0.01), rates(9000, 0.01))},
        peaks=tuple(reached(reading) for reading in early.readings),
    )
    (reading,) = later.readings
    assert reading.harm
    assert reading.harm.breached
    assert reading.non_inferiority
    assert not reading.non_inferiority.passed


@pytest.mark.parametrize(
    ("arms", "winner", "words"),
    [
        pytest.param([(0.6, 0.0), (0.6, 0.0)], "churn-1", "no harm is shown", id="nothing speaks against it"),
        pytest.param([(0.6, 0.0), (0.58, 0.0), (0.6, 0.0)], "churn-2", "best estimate", id="the better one"),
        pytest.param([(0.6, 0.0), (0.6, 0.03)], None, "beyond its margin", id="it looks beyond a margin"),
        pytest.param(
            [(0.6, 0.0), (0.61, 0.026), (0.6, 0.0)], "churn-2", "no harm is shown", id="the better one is not"
        ),
    ],
)
def test_an_inconclusive_end_promotes_only_whom_nothing_speaks_against(
    arms: list[tuple[float, float]], winner: str | None, words: str
) -> None:
    weights = (50, 50) if len(arms) == 2 else (40, 30, 30)
    design = spec(BOTH, weights, onInconclusive="Promote")
    outcome = decide(facts(design, many(*arms, n=400), **LATE, quality=trusted(design)))
    assert (outcome.kind, outcome.reason, outcome.winner) == ("Conclude", "OutOfTime", winner)
    assert words in outcome.message


def trusted(design: ExperimentSpec) -> DataQuality:
    units = {arm.name: round(10 * arm.weight) for arm in design.arms}
    return DataQuality(srm=srm(units, design.weights, 0.001), data_age=1.0)


@pytest.mark.parametrize("ends", [{"maxUnits": 100}, {}], ids=["units", "time"])
def test_a_loser_is_never_promoted_as_inconclusive(ends: dict[str, Any]) -> None:
    """Neither at the end nor after: it is rolled back, or dropped and then left out."""
    design = spec(BOTH, (40, 30, 30), onInconclusive="Promote", **ends)
    counts = many((0.6, 0.0), (0.3, 0.0), (0.6, 0.0))
    dropped = decide(facts(design, counts, **LATE, quality=trusted(design)))
    assert (dropped.kind, dropped.arm) == ("Drop", "one")
    after = decide(facts(design, counts, **LATE, quality=trusted(design), dropped=frozenset({"one"})))
    assert (after.kind, after.winner) == ("Conclude", "churn-2")


def test_a_metric_without_numbers_promotes_nobody_at_the_end() -> None:
    design = spec(BOTH, onInconclusive="Promote")
    counts = many((0.6, 0.0), (0.6, 0.0)) | {"errors": (Moments(4000, 0), Moments(0, 0))}
    outcome = decide(facts(design, counts, **LATE))
    assert (outcome.kind, outcome.winner) == ("Conclude", None)
    assert "errors of one has no numbers" in outcome.message


def test_an_unchecked_split_promotes_nobody_at_the_end() -> None:
    design = spec(BOTH, onInconclusive="Promote")
    outcome = decide(facts(design, many((0.6, 0.0), (0.6, 0.0)), **LATE, quality=DataQuality(data_age=1.0)))
    assert outcome.winner is None
    assert "the split was never checked" in outcome.message


def test_a_breaching_arm_and_a_loser_go_and_the_winner_stands() -> None:
    design = spec(BOTH, (40, 20, 20, 20))
    counts = many((0.6, 0.0), (0.75, 0.2), (0.4, 0.0), (0.7, 0.0))
    gone: list[str] = []
    for reason in ("GuardrailBreached", "PrimaryWorse"):
        outcome = decide(facts(design, counts, quality=trusted(design), dropped=frozenset(gone)))
        assert (outcome.kind, outcome.reason) == ("Drop", reason)
        gone.append(outcome.arm)
    assert gone == ["one", "two"]
    end = decide(facts(design, counts, quality=trusted(design), dropped=frozenset(gone)))
    assert (end.kind, end.winner) == ("Promote", "churn-3")


def test_clearing_is_corrected_for_the_number_of_candidates() -> None:
    """The same numbers clear the one candidate, and not yet one of four."""
    clean = rates(420, 0)
    one = spec({"guardrails": [ERRORS]})
    four = spec({"guardrails": [ERRORS]}, (20, 20, 20, 20, 20))
    bars = []
    for design in (one, four):
        reading = facts(design, {"errors": (clean,) * len(design.arms)}).readings[0]
        assert reading.non_inferiority
        bars.append(reading.non_inferiority.threshold)
    assert bars[1] - bars[0] == pytest.approx(1.386, abs=1e-3)


@pytest.mark.parametrize(
    ("guardrail", "words"),
    [
        pytest.param({"source": "Events"}, "complaints: no window", id="a complaint may come at any time"),
        pytest.param({"source": "Events", "lag": "2h"}, "complaints: units decide", id="its lag is said"),
        pytest.param({"source": "Events", "window": "1d"}, "", id="units count once their window has closed"),
        pytest.param({"source": "Events", "missing": "Ignore"}, "", id="no outcome is no good one"),
        pytest.param({"source": "Gateway"}, "", id="an answer is bad when it ends"),
    ],
)
def test_a_guardrail_whose_outcomes_may_still_come_is_a_finding(
    guardrail: dict[str, Any], words: str
) -> None:
    design = spec({"guardrails": [guardrail | {"name": "complaints", "margin": {"absolute": 0.02}}]})
    found = finding(design, plan(design), {})
    assert found.startswith(words)
    assert bool(found) == bool(words)
