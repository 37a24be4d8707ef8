"""Show an Experiment to Prometheus, and take it away when it is gone."""

from dataclasses import asdict

from assay_api import Experiment, ExperimentStatus
from assay_operator.decide.observed import DataQuality
from assay_operator.decide.shown import ASKS, PHASES
from assay_operator.telemetry import metrics

_EVERY_PHASE = ("Queued", "Pending", "Running", ASKS, *PHASES.values())
_READINGS = (metrics.effect, metrics.effect_low, metrics.effect_high, metrics.p_value)
_TRUST = (metrics.srm_p_value, metrics.data_age, metrics.findings)
_ALL = (metrics.phase, metrics.share, metrics.units, *_TRUST, *_READINGS)


def shown(experiment: Experiment, status: ExperimentStatus) -> None:
    """Set the gauges of an Experiment."""
    who = tuple(experiment.metadata.ref)
    for phase in _EVERY_PHASE:
        metrics.phase.labels(*who, phase).set(phase == status.phase)
    for arm in status.arms:
        metrics.share.labels(*who, arm.name, arm.version).set(arm.share)
        metrics.units.labels(*who, arm.name).set(arm.units)
    for line in status.analysis:
        values = (line.estimate, line.low, line.high, line.p_value)
        for gauge, value in zip(_READINGS, values, strict=True):
            if value is not None:
                gauge.labels(*who, line.arm, line.metric).set(value)


def trusted(experiment: Experiment, trust: DataQuality) -> None:
    """Set what speaks for or against the numbers."""
    who = experiment.metadata.ref
    if trust.srm:
        metrics.srm_p_value.labels(*who).set(trust.srm.p_value)
    if trust.data_age is not None:
        metrics.data_age.labels(*who).set(trust.data_age)
    if not trust.fault:
        for check, count in asdict(quality.counts).items():
            metrics.findings.labels(*who, check).set(count)


def forget(namespace: str, name: str) -> None:
    """Remove every series of an Experiment that is gone."""
    for gauge in _ALL:
        metrics.forget(gauge, namespace, name)
