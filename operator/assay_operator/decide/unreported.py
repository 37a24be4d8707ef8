"""Metrics that units are counted for, and for which no outcome has ever come: a name that nobody uses."""

from collections.abc import Iterable, Iterator

from assay_api import Metric
from assay_operator.decide.experiment_facts import ArmCounts
from assay_stats import Moments

_NONE = Moments(0, 0.0)


def unreported(metrics: Iterable[Metric], arms: Iterable[ArmCounts]) -> Iterator[str]:
    """Yield a sentence for each metric of outcomes that no unit of any arm has an outcome of."""
    enrolled = [arm for arm in arms if arm.units]
    for metric in metrics:
        found = [arm.moments.get(metric.name, _NONE) for arm in enrolled]
        if metric.source == "Events" and enrolled and not any(map(_reported, found)):
            yield f"{metric.name}: no outcome has come under this name yet; check what callers report"


def _reported(sums: Moments) -> bool:
    """Units without an outcome are zeros, or are not counted at all."""
    return bool(sums.total or sums.squares or sums.mean)
