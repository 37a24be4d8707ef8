"""Show an Experiment to Prometheus, and take it away when it is gone."""

from assay_api import Experiment, ExperimentStatus
from assay_operator.decide.shown import PHASES
from assay_operator.telemetry import metrics

_EVERY_PHASE = ("Queued", "Pending", "Running", *PHASES.values())
_READINGS = (metrics.effect, metrics.effect_low, metrics.effect_high, metrics.p_value)
_ALL = (metrics.phase, metrics.share, metrics.units, metrics.srm_p_value, *_READINGS)


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


def ratio(experiment: Experiment, p_value: float) -> None:
    """Set the p-value of the declared split."""
    metrics.srm_p_value.labels(*experiment.metadata.ref).set(p_value)


def forget(namespace: str, name: str) -> None:
    """Remove every series of an Experiment that is gone."""
    for gauge in _ALL:
        metrics.forget(gauge, namespace, name)
