"""Gather the numbers of a running Experiment into one frozen value."""

from datetime import datetime

from assay_api import Experiment
from assay_api.condition import is_true
from assay_api.model import Alert
from assay_api.names import SETTLED
from assay_operator.decide.analysis import SRM_ALPHA, readings
from assay_operator.decide.observed import ArmSeen, Observed, Trust
from assay_operator.reconcile.family import Family
from assay_operator.telemetry import ArmSummary, NoAnswer, Outcomes, Summary
from assay_stats import Srm, srm

UNKNOWN = "the collector does not know this Experiment"


async def observe(outcomes: Outcomes, family: Family, experiment: Experiment, now: datetime) -> Observed:
    """Ask the collector, look around, and return all that a decision may look at."""
    summary, fault = await _asked(outcomes, experiment)
    arms = _arms(experiment, summary)
    spec, status = experiment.spec, experiment.status
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
        trust=_trust(experiment, summary, fault, now),
        lost=_lost(family, experiment),
        down=_down(family, experiment, now),
        drifting=_drifting(family, experiment),
        alerted=", ".join(sorted({alert.name for alert in _alerts(family)})),
        programmed=is_true(status.conditions, "Programmed"),
    )


async def _asked(outcomes: Outcomes, experiment: Experiment) -> tuple[Summary, str]:
    try:
        summary = await outcomes.summary(experiment.metadata.uid)
    except NoAnswer as nothing:
        return Summary(), str(nothing)
    if (
        summary is None
    ):  # its database is new: it starts to count, and what it has lost is missing on both sides
        return Summary(), UNKNOWN
    return summary, ""


def _arms(experiment: Experiment, summary: Summary) -> tuple[ArmSeen, ...]:
    found = summary.arms
    return tuple(
        ArmSeen(arm.name, arm.version, found[arm.name].units, found[arm.name].moments)
        if arm.name in found
        else ArmSeen(arm.name, arm.version)
        for arm in experiment.spec.arms
    )


def _trust(experiment: Experiment, summary: Summary, fault: str, now: datetime) -> Trust:
    newest = summary.last_ingest
    return Trust(
        srm=_srm(experiment, summary),
        audit_mismatches=summary.audit_mismatches,
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
