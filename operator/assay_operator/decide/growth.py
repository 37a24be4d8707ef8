"""Counts of an Experiment may only grow: who has counted more before has begun anew, and says something else.

A source that begins anew gives a test a second chance to err, and a third; so it is held until it has come to
where it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from assay_api import Metric
from assay_api.experiment_status import Counted
from assay_api.reason import Reason
from assay_operator.decide.experiment_facts import ArmCounts, Gap
from assay_stats import Moments

EXTRAPOLATION = 0.02  # of the count: by so much `increase` may waver between two scrapes


@dataclass(frozen=True)
class Growth:
    """What was counted for the metrics of an Experiment, and how far it had come.

    Attributes:
        metrics: Of the Experiment.
        before: The most that was counted of each metric and arm.
        excluded: Units that the collector has taken out again, as those that crossed.
        dropped: Arms that were taken out, whose counts matter no more.
    """

    metrics: tuple[Metric, ...]
    before: tuple[Counted, ...]
    excluded: int = 0
    dropped: frozenset[str] = frozenset()

    def checked(self, arms: Iterable[ArmCounts]) -> tuple[tuple[ArmCounts, ...], tuple[Gap, ...]]:
        """Return the arms without the metrics that shrank, and why these are missing."""
        found = tuple(arms)
        faults = {m.name: fault for m in self.metrics if (fault := self._fault(m, found))}
        kept = tuple(replace(arm, moments=_without(arm.moments, faults)) for arm in found)
        return kept, tuple(Gap(name, Reason.SOURCE_RESET, fault) for name, fault in faults.items())

    def after(self, arms: Iterable[ArmCounts]) -> tuple[Counted, ...]:
        """Return the most that was counted, these arms included."""
        most = {(one.metric, one.arm): one for one in self.before}
        for arm in arms:
            for metric in self.metrics:
                if (sums := arm.moments.get(metric.name)) and sums.n:
                    old = most.get((metric.name, arm.name), Counted(metric=metric.name, arm=arm.name))
                    most[metric.name, arm.name] = _most(old, metric, sums)
        return tuple(most.values())

    def _fault(self, metric: Metric, arms: Iterable[ArmCounts]) -> str:
        most = {one.arm: one for one in self.before if one.metric == metric.name}
        present = [arm for arm in arms if arm.name not in self.dropped]
        faults = (self._fallen(metric, arm, most.get(arm.name)) for arm in present)
        return next((fault for fault in faults if fault), "")

    def _fallen(self, metric: Metric, arm: ArmCounts, most: Counted | None) -> str:
        sums = arm.moments.get(metric.name)
        if most is None or sums is None:
            return ""
        counts = {"units": (sums.n, most.units), "events": (_events(metric, sums), most.events)}
        for what, (now, before) in counts.items():
            if now < self._least(metric, before):
                return (
                    f"arm {arm.name} has {now:g} {what} and had {before:g} before: it was counted from zero "
                    "again; held until there are as many"
                )
        return ""

    def _least(self, metric: Metric, before: float) -> float:
        if metric.query is None:
            return before - self.excluded
        return before * (1 - EXTRAPOLATION) - 1 if _extrapolates(metric) else before


def _without(moments: Mapping[str, Moments], faults: Mapping[str, str]) -> dict[str, Moments]:
    return {name: sums for name, sums in moments.items() if name not in faults}


def _most(old: Counted, metric: Metric, sums: Moments) -> Counted:
    units, events = max(old.units, sums.n), max(old.events, _events(metric, sums))
    return old.changed(units=units, events=events)


def _events(metric: Metric, sums: Moments) -> float:
    """Return the events where they are a counter; elsewhere a unit's value may be taken back."""
    return sums.total if metric.query and metric.query.COUNTER and metric.type == "Proportion" else 0.0


def _extrapolates(metric: Metric) -> bool:
    return metric.prometheus is not None and "increase(" in metric.prometheus.count
