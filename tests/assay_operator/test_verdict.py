"""The ordered checks, one story each: what is seen, what is decided, and what is said."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay_api import Experiment, ExperimentSpec, ExperimentStatus
from assay_api.names import SETTLED
from assay_operator.decide.analysis import plan, reached, readings
from assay_operator.decide.experiment_facts import ArmCounts, DataQuality, ExperimentFacts, Gap, QualityCounts
from assay_operator.decide.replay import replay
from assay_operator.decide.reporting import analyses
from assay_operator.decide.verdict import decide
from assay_stats import Moments, srm

START = datetime(2026, 1, 1, tzinfo=UTC)
ARMS = [
    {"name": "control", "version": "churn-1", "weight": 50},
    {"name": "boosted", "version": "churn-2", "weight": 50},
]
METRICS = {
    "primary": {"name": "right", "missing": "Ignore"},
    "guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}],
}


def spec(**change: Any) -> ExperimentSpec:
    usual = {
        "modelRef": {"name": "churn"},
        "arms": ARMS,
        "ramp": [{"percent": 5, "minDuration": "10m", "minUnitsPerArm": 100}, {"percent": 50}],
        "metrics": METRICS,
        "decision": {"minDuration": "1h", "maxDuration": "1d"},
    }
    return ExperimentSpec.model_validate(usual | change)


def arm(name: str, version: str, units: int, right: float, errors: float) -> ArmCounts:
    moments = {
        SETTLED: Moments.proportion(units, 0),
        "right": Moments.proportion(units, round(units * right)),
        "errors": Moments.proportion(units, round(units * errors)),
    }
    return ArmCounts(name, version, units, moments)


def observe(
    units: int = 5000,
    right: tuple[float, float] = (0.8, 0.8),
    errors: tuple[float, float] = (0.0, 0.0),
    **more: Any,
) -> ExperimentFacts:
    design = more.pop("spec", spec())
    arms = tuple(
        arm(a.name, a.version, units, r, e) for a, r, e in zip(design.arms, right, errors, strict=True)
    )
    usual = ExperimentFacts(
        spec=design,
        now=START + timedelta(hours=2),
        started_at=START,
        step=1,
        step_started_at=START + timedelta(minutes=15),
        arms=arms,
        readings=readings(design, plan(design), arms, ()),
        quality=DataQuality(
            srm=srm({a.name: a.units for a in arms}, {a.name: a.weight for a in design.arms}, 0.001),
            data_age=1.0,
        ),
    )
    return replace(usual, **more)


def trusted(**more: Any) -> DataQuality:
    """Numbers that are fine but for what is said."""
    return replace(observe().quality, **more)


MANUAL = spec(decision={"minDuration": "1h", "maxDuration": "1d", "approval": "Manual"})
HOUR = START + timedelta(minutes=30)
TENTH = START + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        pytest.param(
            observe(right=(0.8, 0.86)),
            "Promote",
            "CandidateWins",
            id="better, and no guardrail speaks against it",
        ),
        pytest.param(observe(right=(0.8, 0.803)), "Hold", "Running", id="a little better may be luck"),
        pytest.param(observe(right=(0.86, 0.8)), "RollBack", "PrimaryWorse", id="clearly worse"),
        pytest.param(observe(units=60, right=(0.2, 0.9)), "Hold", "Running", id="a lucky start is not proof"),
        pytest.param(
            observe(right=(0.8, 0.9), errors=(0.0, 0.2)),
            "RollBack",
            "GuardrailBreached",
            id="harm beats the win",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), errors=(0.0, 0.018)),
            "Hold",
            "Running",
            id="a win waits for the guardrail",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), now=HOUR), "Hold", "Running", id="a win waits for minDuration"
        ),
        pytest.param(
            observe(right=(0.8, 0.9), step=0, step_started_at=START),
            "Advance",
            "StepDone",
            id="a win waits for the last step",
        ),
        pytest.param(
            observe(step=0, now=TENTH, step_started_at=START),
            "Hold",
            "Running",
            id="a step lasts its minDuration",
        ),
        pytest.param(
            observe(units=50, step=0, step_started_at=START),
            "Hold",
            "Running",
            id="a step waits for its units",
        ),
        pytest.param(observe(now=START + timedelta(days=2)), "Conclude", "OutOfTime", id="time runs out"),
        pytest.param(
            observe(spec=spec(decision={"maxUnits": 9000, "minDuration": "1h", "maxDuration": "1d"})),
            "Conclude",
            "OutOfUnits",
            id="units run out",
        ),
        pytest.param(
            observe(aborted="by hand", right=(0.8, 0.9)), "Abort", "Aborted", id="a person's word ends it"
        ),
        pytest.param(
            observe(lost="ModelVersion churn-2 was deleted"),
            "Invalidate",
            "VersionLost",
            id="an arm without its version",
        ),
        pytest.param(
            observe(quality=DataQuality(counts=QualityCounts(audit_mismatches=1), data_age=1.0)),
            "Invalidate",
            "AuditFailed",
            id="one exposure out of place",
        ),
        pytest.param(
            observe(down={"boosted": 45.0}),
            "RollBack",
            "CandidateDown",
            id="a candidate that is gone for good",
        ),
        pytest.param(observe(down={"boosted": 5.0}), "Hold", "Running", id="a candidate that restarts"),
        pytest.param(
            observe(drifting=frozenset({"boosted"}), alerted="D"),
            "RollBack",
            "CandidateDrifts",
            id="drift on the candidate only",
        ),
        pytest.param(
            observe(drifting=frozenset({"boosted", "control"}), alerted="D"),
            "Hold",
            "Drifting",
            id="drift on both: the world",
        ),
        pytest.param(
            observe(alerted="D", right=(0.8, 0.9)),
            "Hold",
            "Drifting",
            id="drift of the Model holds even a win",
        ),
        pytest.param(
            observe(spec=spec(suspend=True), right=(0.8, 0.9)),
            "Hold",
            "Suspended",
            id="suspended holds a win",
        ),
        pytest.param(
            observe(spec=spec(suspend=True), errors=(0.0, 0.2)),
            "RollBack",
            "GuardrailBreached",
            id="suspended never holds safety",
        ),
        pytest.param(
            observe(quality=DataQuality(fault="no answer"), readings=()),
            "Hold",
            "CollectorUnreachable",
            id="no answer is no failure",
        ),
        pytest.param(
            observe(quality=DataQuality(data_age=900.0), right=(0.8, 0.9)),
            "Hold",
            "StaleData",
            id="old data holds a win",
        ),
        pytest.param(observe(units=0, quality=DataQuality()), "Hold", "NoData", id="nobody came yet"),
        pytest.param(
            observe(units=0, quality=DataQuality(), now=START + timedelta(days=2)),
            "Conclude",
            "NoDataInTime",
            id="nobody ever came",
        ),
        pytest.param(
            observe(right=(0.8, 0.86), quality=DataQuality(data_age=1.0)),
            "Hold",
            "RatioUnknown",
            id="a win waits until the split was checked",
        ),
        pytest.param(
            observe(programmed=False, right=(0.8, 0.9)),
            "Hold",
            "NotProgrammed",
            id="gateways that are behind hold a win",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), quality=trusted(counts=QualityCounts(crossover_units=51))),
            "Invalidate",
            "UnitsCross",
            id="units that are seen in both arms",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), quality=trusted(counts=QualityCounts(crossover_units=50))),
            "Promote",
            "CandidateWins",
            id="a few of them are left out",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), quality=trusted(counts=QualityCounts(bot_units=1001))),
            "Hold",
            "BotUnits",
            id="one unit in ten is no person",
        ),
        pytest.param(
            observe(errors=(0.0, 0.2), quality=trusted(counts=QualityCounts(bot_units=1001))),
            "RollBack",
            "GuardrailBreached",
            id="harm does not wait for doubts about bots",
        ),
        pytest.param(
            observe(
                right=(0.8, 0.9),
                quality=trusted(
                    counts=QualityCounts(duplicate_exposures=9999, orphan_outcomes=9999, late_outcomes=9)
                ),
            ),
            "Promote",
            "CandidateWins",
            id="what is counted once or nowhere speaks against nobody",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), quality=trusted(gaps=(Gap("right", "MetricUnavailable", "502"),))),
            "Hold",
            "MetricUnavailable",
            id="a source that fails is no failure of the candidate, and no win",
        ),
        pytest.param(
            observe(right=(0.9, 0.8), quality=trusted(gaps=(Gap("errors", "NoData", "nothing came"),))),
            "Hold",
            "NoData",
            id="a source without data holds",
        ),
        pytest.param(
            observe(
                now=START + timedelta(days=2),
                quality=trusted(gaps=(Gap("right", "MetricUnavailable", "502"),)),
            ),
            "Conclude",
            "NoDataInTime",
            id="a source that fails until the end",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), quality=trusted(gaps=(Gap("else", "MetricUnavailable", "502"),))),
            "Promote",
            "CandidateWins",
            id="a metric that is only reported holds nothing",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), spec=MANUAL),
            "Hold",
            "WaitingForApproval",
            id="a person has the last word",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), spec=MANUAL, approved="ada"),
            "Promote",
            "CandidateWins",
            id="and has said it",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), errors=(0.0, 0.2), spec=MANUAL),
            "RollBack",
            "GuardrailBreached",
            id="harm waits for no approval",
        ),
        pytest.param(
            observe(right=(0.8, 0.9), spec=MANUAL, now=START + timedelta(days=2)),
            "Conclude",
            "NotApproved",
            id="nobody said it in time",
        ),
    ],
)
def test_what_is_seen_decides(facts: ExperimentFacts, kind: str, reason: str) -> None:
    outcome = decide(facts)
    assert (outcome.kind, outcome.reason) == (kind, reason), outcome.message
    assert outcome.message


def test_a_broken_split_blocks_every_verdict() -> None:
    """5.6/94.4 where 10/90 was declared, as a hash without its logarithm gives."""
    broken = srm({"control": 1888, "boosted": 112}, {"control": 90, "boosted": 10}, 0.001)
    outcome = decide(
        observe(right=(0.8, 0.9), errors=(0.0, 0.2), quality=DataQuality(srm=broken, data_age=1.0))
    )
    assert (outcome.kind, outcome.reason) == ("Invalidate", "SampleRatioMismatch")


def test_inconclusive_promotes_only_if_the_user_said_so_and_data_came() -> None:
    late = START + timedelta(days=2)
    design = spec(decision={"minDuration": "1h", "maxDuration": "1d", "onInconclusive": "Promote"})
    assert decide(observe(spec=design, now=late)).winner == "churn-2"
    assert decide(observe(spec=design, now=late, units=0, quality=DataQuality())).winner is None
    assert decide(observe(now=late)).winner is None


def test_what_nobody_approved_is_not_promoted_as_inconclusive_either() -> None:
    decision = {"minDuration": "1h", "maxDuration": "1d", "onInconclusive": "Promote", "approval": "Manual"}
    late, design = START + timedelta(days=2), spec(decision=decision)
    assert decide(observe(spec=design, now=late)).winner is None
    assert decide(observe(spec=design, now=late, approved="ada")).winner == "churn-2"


QUERY = {"count": "x", "sum": "y"}
SHADOW = {
    "mode": "Shadow",
    "ramp": [{"percent": 10, "minDuration": "10m"}, {"percent": 99}],
    "metrics": {"secondary": [{"name": "slow", "source": "Prometheus", "prometheus": QUERY}]},
}


@pytest.mark.parametrize(
    ("change", "kind", "reason"),
    [
        pytest.param(
            {"units": 0, "quality": DataQuality()}, "Hold", "Running", id="it needs no unit and no data"
        ),
        pytest.param(
            {"step": 0, "step_started_at": START}, "Advance", "StepDone", id="more requests step by step"
        ),
        pytest.param({"aborted": "enough"}, "Abort", "Aborted", id="somebody has seen enough"),
        pytest.param({"down": {"boosted": 31.0}}, "RollBack", "CandidateDown", id="it went down"),
        pytest.param({"lost": "gone"}, "Invalidate", "VersionLost", id="its version is gone"),
        pytest.param({"now": START + timedelta(days=2)}, "Conclude", "ShadowOver", id="it was shown enough"),
    ],
)
def test_a_shadow_decides_nothing_but_its_end(change: dict[str, Any], kind: str, reason: str) -> None:
    design = spec(**SHADOW)
    outcome = decide(observe(spec=design, right=(0.2, 0.9), errors=(0, 0.9), **change))
    assert (outcome.kind, outcome.reason, outcome.winner) == (kind, reason, None)


def test_a_safe_rollout_is_promoted_by_its_guardrails_alone() -> None:
    design = spec(metrics={"guardrails": METRICS["guardrails"]})
    outcome = decide(observe(spec=design))
    assert (outcome.kind, outcome.reason, outcome.winner) == ("Promote", "GuardrailsHold", "churn-2")


def test_equal_arms_end_without_a_winner() -> None:
    same = [ARMS[0], ARMS[1] | {"version": "churn-1"}]
    design = spec(mode="AA", arms=same)
    assert decide(observe(spec=design, now=START + timedelta(days=2))).reason == "AAEqual"
    differs = decide(observe(spec=design, right=(0.8, 0.9)))
    assert (differs.reason, differs.winner) == ("AADiffers", None)


def test_the_best_of_several_winners_is_promoted() -> None:
    three = [
        ARMS[0] | {"weight": 40},
        ARMS[1] | {"weight": 30},
        {"name": "forest", "version": "churn-3", "weight": 30},
    ]
    design = spec(arms=three)
    arms = tuple(
        arm(a.name, a.version, 100 * a.weight, right, 0.0)
        for a, right in zip(design.arms, (0.8, 0.86, 0.9), strict=True)
    )
    facts = replace(
        observe(),
        spec=design,
        arms=arms,
        readings=readings(design, plan(design), arms, ()),
        quality=DataQuality(srm=srm({a.name: a.units for a in arms}, design.weights, 0.001), data_age=1.0),
    )
    assert decide(facts).winner == "churn-3"


@given(
    units=st.integers(0, 20_000),
    right=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    errors=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    step=st.integers(0, 1),
    minutes=st.integers(0, 3000),
)
def test_the_same_is_decided_whenever_it_is_asked(
    units: int, right: tuple[float, float], errors: tuple[float, float], step: int, minutes: int
) -> None:
    """Only a decision that waits has no winner; evidence so far never shrinks; the record is complete."""
    facts = observe(
        units=units, right=right, errors=errors, step=step, now=START + timedelta(minutes=minutes)
    )
    first, again = decide(facts), decide(facts)
    assert first == again
    assert (first.winner is None) or first.final
    lines = analyses(facts.spec, plan(facts.spec), facts.readings)
    peaks = [reached(reading) for reading in facts.readings]
    fixed = plan(facts.spec)
    later = analyses(facts.spec, fixed, readings(facts.spec, fixed, facts.arms, peaks))
    assert all((b.log_evidence or 0) >= (a.log_evidence or 0) for a, b in zip(lines, later, strict=True))
    assert facts.record().arms["control"].units == units
    assert replay(recorded(facts)) == replace(first, message=replay(recorded(facts)).message)


def recorded(facts: ExperimentFacts) -> Experiment:
    """The Experiment as Kubernetes would have it: JSON with sorted keys, rounded as the status is."""
    decision, fixed = decide(facts), plan(facts.spec)
    lines = analyses(facts.spec, fixed, facts.readings)
    evidence = facts.record().model_dump(mode="json", by_alias=True, exclude_none=True)
    table = [{"arm": a.name, "from": 0, "to": a.weight} for a in facts.spec.arms]
    verdict = {"verdict": "Conclude", "reason": decision.reason, "message": "", "at": facts.now.isoformat()}
    status = {
        "startedAt": facts.started_at.isoformat(),
        "state": {"plan": fixed.model_dump(mode="json", by_alias=True)},
        "analysis": [line.model_dump(mode="json", by_alias=True) for line in lines],
        "decision": verdict | {"evidence": evidence | {"table": table}},
    }
    spec = facts.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    whole = {"metadata": {"name": "e", "namespace": "n", "uid": "u"}, "spec": spec, "status": status}
    return Experiment.model_validate(json.loads(json.dumps(whole, sort_keys=True)))


@pytest.mark.parametrize(
    "trust",
    [
        DataQuality(data_age=1.0),
        DataQuality(fault="gone"),
        DataQuality(counts=QualityCounts(3), data_age=1.0),
    ],
)
def test_doubts_are_in_the_record_too(trust: DataQuality) -> None:
    facts = observe(
        right=(0.8, 0.9), quality=trust, programmed=False, approved="ada", now=START + timedelta(days=2)
    )
    assert replay(recorded(facts)) == decide(facts)


def test_what_was_decided_without_numbers_cannot_be_computed_again() -> None:
    aborted = recorded(observe()).model_copy(update={"status": ExperimentStatus()})
    with pytest.raises(ValueError, match="not decided yet"):
        replay(aborted)
