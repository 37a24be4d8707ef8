"""The numbers of a running Experiment as one frozen value, from the facts about it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from assay_api import Experiment
from assay_api.names import APPROVE, SETTLED, mature
from assay_operator.decide.analysis import SRM_ALPHA, readings
from assay_operator.decide.experiment_facts import ArmCounts, DataQuality, ExperimentFacts, Gap, QualityCounts
from assay_operator.decide.growth import Growth
from assay_operator.decide.summary import ArmSummary, Reading, Sample, Summary
from assay_operator.decide.unavailability import unavailable_for
from assay_operator.plan.world import World
from assay_stats import Moments, Srm, srm

UNKNOWN = "the collector does not know this Experiment"


def experiment_facts(world: World, experiment: Experiment, reading: Reading) -> ExperimentFacts:
    """Return all that a decision about a running Experiment may look at."""
    spec, status, state = experiment.spec, experiment.status, experiment.status.state
    fault = reading.fault or (UNKNOWN if reading.summary is None else "")
    summary = reading.summary or Summary()
    samples = world.facts.samples.get(experiment.metadata.uid, {})
    found = _arms(experiment, _old(summary, world.now), samples)
    arms, shrunk = growth(experiment, summary.findings).checked(found)
    assert status.started_at is not None
    assert state.step_started_at is not None
    assert state.plan is not None
    return ExperimentFacts(
        spec=spec,
        now=world.now,
        started_at=status.started_at,
        step=status.step,
        step_started_at=state.step_started_at,
        arms=arms,
        readings=() if fault else readings(spec, state.plan, arms, state.peaks),
        plan=state.plan,
        peaks=state.peaks,
        maturity=summary.maturity,
        quality=replace(_quality(experiment, summary, fault, world.now), gaps=(*shrunk, *_gaps(samples))),
        dropped=frozenset(state.dropped),
        approved=experiment.metadata.annotations.get(APPROVE, ""),
        lost=_lost(world, experiment),
        down=_down(world, experiment),
        drifting=_drifting(world, experiment),
        alerted=", ".join(sorted({alert.name for alert in world.alerts})),
        programmed=world.facts.programmed.done,
    )


def growth(experiment: Experiment, found: QualityCounts) -> Growth:
    """Return what the counts must not fall behind."""
    excluded = found.crossover_units + found.bot_units
    state = experiment.status.state
    return Growth(experiment.spec.metrics.every, state.counted, excluded, frozenset(state.dropped))


def _gaps(samples: Mapping[str, Sample]) -> tuple[Gap, ...]:
    return tuple(Gap(name, s.reason, s.message) for name, s in samples.items() if s.reason)


def _arms(experiment: Experiment, summary: Summary, samples: Mapping[str, Sample]) -> tuple[ArmCounts, ...]:
    nothing = ArmSummary(0, 0, {})
    found = [(arm, summary.arms.get(arm.name, nothing)) for arm in experiment.spec.arms]
    return tuple(
        ArmCounts(arm.name, arm.version, counts.units, {**counts.moments, **_of(arm.name, samples)})
        for arm, counts in found
    )


def _old(summary: Summary, now: datetime) -> Summary:
    """Return the summary without mature units of metrics whose lag has grown beyond the age of some."""
    young = {mature(name) for name, maturity in summary.maturity.items() if not maturity.reached(now)}
    if not young:
        return summary
    arms = {
        name: replace(arm, moments={m: sums for m, sums in arm.moments.items() if m not in young})
        for name, arm in summary.arms.items()
    }
    return replace(summary, arms=arms)


def _of(arm: str, samples: Mapping[str, Sample]) -> dict[str, Moments]:
    return {name: s.moments[arm] for name, s in samples.items() if arm in s.moments}


def _quality(experiment: Experiment, summary: Summary, fault: str, now: datetime) -> DataQuality:
    newest = summary.last_ingest
    return DataQuality(
        srm=_srm(experiment, summary),
        counts=summary.findings,
        data_age=max((now - newest).total_seconds(), 0.0) if newest else None,
        fault=fault,
        unknown_metrics=summary.unknown_metrics,
    )


def _srm(experiment: Experiment, summary: Summary) -> Srm | None:
    """Expect the widths of the present table: rounding to slots is part of the declared split."""
    state = experiment.status.state
    widths = {s.arm: float(s.end - s.start) for s in state.table}
    counts = {name: _settled(summary.arms[name]) for name in widths if name in summary.arms}
    if len(counts) != len(widths) or not any(counts.values()):
        return None
    return srm(counts, widths, SRM_ALPHA, previous=state.srm_log_evidence)


def _settled(arm: ArmSummary) -> int:
    """Units whose requests have all ended: the others are missing where answers are slow, and no fault."""
    return arm.moments[SETTLED].n if SETTLED in arm.moments else 0


def _lost(world: World, experiment: Experiment) -> str:
    gone = [arm.version for arm in experiment.spec.arms if world.version(arm.version) is None]
    return f"ModelVersion {', '.join(gone)} was deleted" if gone else ""


def _down(world: World, experiment: Experiment) -> dict[str, float]:
    """Seconds for which a candidate has had no ready pod, counted by its version's condition Available."""
    down = {}
    for arm in experiment.spec.candidates:
        version = world.version(arm.version)
        if version and arm.version not in world.available:
            down[arm.name] = unavailable_for(version, world.now)
    return down


def _drifting(world: World, experiment: Experiment) -> frozenset[str]:
    """Arms that an alert names, by their own name or by their version's."""
    named = {name for alert in world.alerts for name in alert.arms}
    return frozenset(arm.name for arm in experiment.spec.arms if {arm.name, arm.version} & named)
