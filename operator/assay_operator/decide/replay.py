"""The same verdict again, from its evidence: what `assay replay` computes."""

from dataclasses import fields

from assay_api import Experiment
from assay_api.evidence import ArmEvidence, Evidence, QualityEvidence
from assay_api.names import SETTLED
from assay_operator.decide.analysis import SRM_ALPHA, readings
from assay_operator.decide.decision import Decision
from assay_operator.decide.experiment_facts import ArmCounts, DataQuality, ExperimentFacts, Gap, QualityCounts
from assay_operator.decide.verdict import decide
from assay_stats import Moments, Srm, srm


def replay(experiment: Experiment) -> Decision:
    """Decide anew from the spec, the frozen plan and the evidence of the verdict.

    Raises:
        ValueError: There is no verdict, or one that was made without looking at numbers.
    """
    decision, plan = experiment.status.decision, experiment.status.state.plan
    if decision is None:
        raise ValueError(f"{experiment.metadata.name} is not decided yet")
    if decision.evidence is None or plan is None:
        raise ValueError(f"{decision.verdict} was made without numbers: {decision.message}")
    evidence = decision.evidence
    names = [arm.name for arm in experiment.spec.arms]  # the API server sorts the keys of a record
    arms = tuple(_arm(name, evidence.arms[name]) for name in names)
    fault = evidence.quality.fault
    return decide(
        ExperimentFacts(
            spec=experiment.spec,
            now=evidence.now,
            started_at=evidence.started_at,
            step=evidence.step,
            step_started_at=evidence.step_started_at,
            arms=arms,
            readings=() if fault else readings(experiment.spec, plan, arms, evidence.peaks),
            plan=plan,
            peaks=evidence.peaks,
            quality=_quality(evidence, arms),
            dropped=frozenset(evidence.dropped),
            approved=evidence.approved,
            aborted=evidence.aborted,
            lost=evidence.lost,
            down=evidence.down,
            drifting=frozenset(evidence.drifting),
            alerted=evidence.alerted,
            programmed=evidence.programmed,
        )
    )


def _arm(name: str, arm: ArmEvidence) -> ArmCounts:
    moments = {metric: _moments(sums) for metric, sums in arm.metrics.items()}
    return ArmCounts(name, arm.version, arm.units, moments)


def _moments(sums: tuple[float, ...]) -> Moments:
    n, *rest = sums
    return Moments(int(n), *rest)


def _quality(evidence: Evidence, arms: tuple[ArmCounts, ...]) -> DataQuality:
    quality = evidence.quality
    return DataQuality(
        srm=_srm(evidence, arms),
        counts=_counts(quality),
        data_age=quality.data_age_seconds,
        fault=quality.fault,
        gaps=tuple(Gap(gap.metric, gap.reason, gap.message) for gap in quality.gaps),
    )


def _counts(quality: QualityEvidence) -> QualityCounts:
    return QualityCounts(**{field.name: getattr(quality, field.name) for field in fields(QualityCounts)})


def _srm(evidence: Evidence, arms: tuple[ArmCounts, ...]) -> Srm | None:
    """The evidence against the split never shrinks, so what was reached is where it is computed anew from."""
    reached = evidence.quality.srm_log_evidence
    if reached is None:
        return None
    widths = {part.arm: float(part.end - part.start) for part in evidence.table}
    counts = {arm.name: arm.moments[SETTLED].n for arm in arms if SETTLED in arm.moments}
    return srm({name: counts[name] for name in widths}, widths, SRM_ALPHA, previous=reached)
