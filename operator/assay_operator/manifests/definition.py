"""What the collector is told to count for an Experiment."""

from typing import Any

from assay_api import Experiment, ExperimentStatus, Metric
from assay_api.duration import seconds
from assay_api.experiment_status import FrozenLag
from assay_api.names import SETTLED
from assay_assign import Interval, encode

DEFAULT_SETTLE = 32.0  # seconds: the gateway's time-out, and a little for the log


def definition(experiment: Experiment, status: ExperimentStatus, *, closed: bool = False) -> dict[str, Any]:
    """Return the definition; metrics and arms never change, the table and its epoch do."""
    plan = status.state.plan
    settle, lags = (plan.settle_seconds, plan.lags) if plan else (DEFAULT_SETTLE, {})
    return {
        "namespace": experiment.metadata.namespace,
        "name": experiment.metadata.name,
        "model": experiment.spec.model_ref.name,
        "arms": [arm.name for arm in experiment.spec.arms],
        "table": encode(Interval(slots.arm, slots.start, slots.end) for slots in status.state.table),
        "epoch": status.state.epoch,
        "startedAt": status.started_at.isoformat() if status.started_at else None,
        "metrics": [
            *(_metric(metric, lags.get(metric.name)) for metric in _counted(experiment)),
            _settled(settle),
        ],
        "closed": closed,
    }


def _counted(experiment: Experiment) -> list[Metric]:
    """Return the metrics that the collector counts; the others have a source of their own."""
    return [metric for metric in experiment.spec.metrics.every if metric.query is None]


def _settled(window: float) -> dict[str, Any]:
    """Units count here once every request that began with theirs has ended, well or by its time-out.

    An answer is logged when it ends. So a slower arm has fewer units than it should at any moment, and the
    ratio of all units so far would call every slow candidate a broken split.
    """
    return {
        "name": SETTLED,
        "type": "Proportion",
        "source": "Events",
        "windowSeconds": window,
        "missing": "Zero",
    }


def _metric(metric: Metric, lag: FrozenLag | None) -> dict[str, Any]:
    slow = metric.slower_than
    return {
        "name": metric.name,
        "type": metric.type,
        "source": metric.source,
        "windowSeconds": seconds(metric.window) if metric.window else None,
        "missing": metric.missing,
        "aggregate": metric.aggregate or ("Any" if metric.type == "Proportion" else "Sum"),
        "slowerThanUs": round(seconds(slow) * 1e6) if slow else None,
        "cap": metric.cap,
        **({"lagSeconds": lag.seconds, "learnsLag": lag.learned} if lag else {}),
    }
