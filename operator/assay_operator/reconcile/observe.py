"""Gather the numbers of a running Experiment into one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from assay_api import Experiment, Ref
from assay_api.condition import is_true
from assay_api.model import Alert
from assay_api.names import APPROVE, SETTLED
from assay_operator.decide.analysis import SRM_ALPHA, readings
from assay_operator.decide.observed import ArmCounts, Gap, Observed, DataQuality
from assay_operator.reconcile.family import Family
from assay_operator.telemetry import ArmSummary, NoAnswer, Outcomes, Question, Sample, Sources, Summary
from assay_stats import Moments, Srm, srm

UNKNOWN = "the collector does not know this Experiment"


@dataclass(frozen=True)
class Eyes:
    """Whom to ask about the numbers."""

    outcomes: Outcomes
    sources: Sources


async def observe(eyes: Eyes, family: Family, experiment: Experiment, now: datetime) -> Observed:
    """Ask the collector, look around, and return all that a decision may look at."""
    spec, status = experiment.spec, experiment.status
    summary, fault = await _asked(eyes.outcomes, experiment)
    samples = _samples(eyes.sources, experiment)
    arms = _arms(experiment, summary, samples)
    assert status.started_at is not None
    assert status.step_started_at is not None
    assert status.plan is not None
    return Observed(
        spec=spec,
        now=now,
        started_at=status.started_at,
        step=status.step,
        step_started_at=status.step_started_at,
        arms=arms,
        readings=() if fault else readings(spec, status.plan, arms, status.analysis),
        quality=replace(_trust(experiment, summary, fault, now), gaps=_gaps(samples)),
        approved=experiment.metadata.annotations.get(APPROVE, ""),
        lost=_lost(family, experiment),
        down=_down(family, experiment, now),
        drifting=_drifting(family, experiment),
        alerted=", ".join(sorted({alert.name for alert in _alerts(family)})),
        programmed=is_true(status.conditions, "Programmed"),
    )


async def _asked(outcomes: Outcomes, experiment: Experiment) -> tuple[Summary, str]:
    if experiment.spec.mode == "Shadow":  # no unit is in an arm
        return Summary(), ""
    try:
        summary = await outcomes.summary(experiment.metadata.uid)
    except NoAnswer as nothing:
        return Summary(), str(nothing)
    if summary is None:  # its database is new: what it has lost is missing on both sides
        return Summary(), UNKNOWN
    return summary, ""


def _samples(sources: Sources, experiment: Experiment) -> dict[str, Sample]:
    """Return what is known of the metrics that the collector does not count."""
    status, arms = experiment.status, tuple(arm.name for arm in experiment.spec.arms)
    assert status.started_at is not None
    model = Ref(experiment.metadata.namespace, experiment.spec.model_ref.name)
    who = (model, experiment.metadata.name, experiment.metadata.uid)
    return {
        metric.name: sources.read(Question(*who, metric, arms, status.started_at))
        for metric in experiment.spec.metrics.every
        if metric.query
    }


def _gaps(samples: Mapping[str, Sample]) -> tuple[Gap, ...]:
    return tuple(Gap(name, s.reason, s.message) for name, s in samples.items() if s.reason)


def _arms(experiment: Experiment, summary: Summary, samples: Mapping[str, Sample]) -> tuple[ArmCounts, ...]:
    nothing = ArmSummary(0, 0, {})
    seen = [(arm, summary.arms.get(arm.name, nothing)) for arm in experiment.spec.arms]
    return tuple(
        ArmCounts(arm.name, arm.version, found.units, {**found.moments, **_of(arm.name, samples)})
        for arm, found in seen
    )


def _of(arm: str, samples: Mapping[str, Sample]) -> dict[str, Moments]:
    return {name: s.moments[arm] for name, s in samples.items() if arm in s.moments}


def _trust(experiment: Experiment, summary: Summary, fault: str, now: datetime) -> DataQuality:
    newest = summary.last_ingest
    return DataQuality(
        srm=_srm(experiment, summary),
        findings=summary.findings,
        data_age=max((now - newest).total_seconds(), 0.0) if newest else None,
        fault=fault,
    )


def _srm(experiment: Experiment, summary: Summary) -> Srm | None:
    """Expect the widths of the present table: rounding to slots is part of the declared split."""
    widths = {s.arm: float(s.end - s.start) for s in experiment.status.table}
    counts = {name: _settled(summary.arms[name]) for name in widths if name in summary.arms}
    if len(counts) != len(widths) or not any(counts.values()):
        return None
    before = experiment.status.checks.srm_log_evidence if experiment.status.checks else 0.0
    return srm(counts, widths, SRM_ALPHA, previous=before)


def _settled(arm: ArmSummary) -> int:
    """Units whose requests have all ended: the others are missing where answers are slow, and no fault."""
    return arm.moments[SETTLED].n if SETTLED in arm.moments else 0


def _lost(family: Family, experiment: Experiment) -> str:
    gone = [arm.version for arm in experiment.spec.arms if family.version(arm.version) is None]
    return f"ModelVersion {', '.join(gone)} was deleted" if gone else ""


def _down(family: Family, experiment: Experiment, now: datetime) -> dict[str, float]:
    """Seconds for which a candidate has had no ready pod, counted by its version's condition Available."""
    down = {}
    for arm in experiment.spec.candidates:
        version = family.version(arm.version)
        if version is None or family.backends.get(arm.version):
            continue
        since = [
            c.last_transition_time
            for c in version.status.conditions
            if c.type == "Available" and c.status == "False"
        ]
        down[arm.name] = (now - since[0]).total_seconds() if since else 0.0
    return down


def _alerts(family: Family) -> tuple[Alert, ...]:
    return family.model.status.alerts if family.model else ()


def _drifting(family: Family, experiment: Experiment) -> frozenset[str]:
    """Arms that an alert names, by their own name or by their version's."""
    named = {name for alert in _alerts(family) for name in alert.arms}
    return frozenset(arm.name for arm in experiment.spec.arms if {arm.name, arm.version} & named)
