"""Per-object series: set from what was written, removed with the object."""

from prometheus_client import Counter, Gauge

from assay_api import Experiment, ExperimentStatus, Model, ModelVersion, Ref, VersionStatus
from assay_api.condition import is_true
from assay_api.experiment_status import Checks
from assay_api.reason import Reason
from assay_operator.decide.experiment_conditions import EVERY_PHASE
from assay_operator.telemetry import metrics

_READINGS = (metrics.effect, metrics.effect_low, metrics.effect_high, metrics.p_value)
_OF_EXPERIMENT = (
    metrics.phase,
    metrics.share,
    metrics.units,
    metrics.srm_p_value,
    metrics.data_age,
    metrics.findings,
    metrics.aa_differs,
    *_READINGS,
)
_OF_MODEL = (metrics.champion, metrics.gate, metrics.drift_alarm, metrics.trials, metrics.verdicts)
_FINDINGS = (
    "audit_mismatches",
    "crossover_units",
    "bot_units",
    "duplicate_exposures",
    "orphan_outcomes",
    "late_outcomes",
)


def show_experiment(experiment: Experiment, status: ExperimentStatus) -> None:
    """Set the gauges of an Experiment."""
    who = tuple(experiment.metadata.ref)
    for phase in EVERY_PHASE:
        metrics.phase.labels(*who, phase).set(phase == status.phase)
    for arm in status.arms:
        metrics.share.labels(*who, arm.name, arm.version).set(arm.share)
        metrics.units.labels(*who, arm.name).set(arm.units)
    for line in status.analysis:
        values = (line.estimate, line.low, line.high, line.p_value)
        for gauge, value in zip(_READINGS, values, strict=True):
            if value is not None:
                gauge.labels(*who, line.arm, line.metric).set(value)
    if status.checks:
        _show_checks(who, status.checks)


def show_alarm(experiment: Experiment) -> None:
    """Set whether an A/A test alarms; at every look, as an alarm must not end with an operator."""
    if experiment.spec.mode == "AA":
        metrics.aa_differs.labels(*experiment.metadata.ref).set(_alarms(experiment.status))


def _alarms(status: ExperimentStatus) -> bool:
    decision = status.decision
    differs = decision is not None and decision.reason == Reason.AA_DIFFERS
    return differs and not is_true(status.conditions, "Acknowledged")


def _show_checks(who: tuple[str, ...], checks: Checks) -> None:
    if checks.srm_p_value is not None:
        metrics.srm_p_value.labels(*who).set(checks.srm_p_value)
    if checks.data_age_seconds is not None:
        metrics.data_age.labels(*who).set(checks.data_age_seconds)
    for check in _FINDINGS:
        metrics.findings.labels(*who, check).set(getattr(checks, check))


def show_verdict(experiment: Experiment, status: ExperimentStatus) -> None:
    """Count a verdict."""
    if status.decision:
        where = (experiment.metadata.namespace, experiment.spec.model_ref.name)
        metrics.verdicts.labels(*where, status.decision.verdict, status.decision.reason).inc()


def show_model(model: Model, champion: str, alerts: int) -> None:
    """Set the gauges of a Model."""
    ref = model.metadata.ref
    if champion != model.status.champion:
        _remove(metrics.champion, namespace=ref.namespace, model=ref.name)
    if champion:
        metrics.champion.labels(*ref, champion).set(1)
    metrics.drift_alarm.labels(*ref).set(alerts)


def show_version(model: Ref, version: ModelVersion, status: VersionStatus) -> None:
    """Set the gates of a version, and count the trials that are new."""
    for gate in status.gates:
        metrics.gate.labels(*model, version.metadata.name, f"{gate.metric} {gate.rule}").set(gate.passed)
    for state, count in status.trials.items():
        if (more := count - version.status.trials.get(state, 0)) > 0:
            metrics.trials.labels(*model, state).inc(more)


def forget_experiment(ref: Ref) -> None:
    """Remove every series of an Experiment that is gone."""
    for gauge in _OF_EXPERIMENT:
        _remove(gauge, namespace=ref.namespace, experiment=ref.name)


def forget_version(model: Ref, version: str) -> None:
    """Remove every series of a version that is gone."""
    _remove(metrics.gate, namespace=model.namespace, model=model.name, version=version)


def forget_model(ref: Ref) -> None:
    """Remove every series of a Model that is gone."""
    for metric in _OF_MODEL:
        _remove(metric, namespace=ref.namespace, model=ref.name)


def forget_everything() -> None:
    """Remove every per-object series: another replica has them now."""
    for metric in (*_OF_EXPERIMENT, *_OF_MODEL):
        metric.clear()


def _remove(metric: Counter | Gauge, **labels: str) -> None:
    metric.remove_by_labels(labels)
