"""Outcomes that come late make every arm look clean at first: from which age on units may decide."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from assay_api import ExperimentSpec
from assay_api.duration import seconds, spelled
from assay_api.experiment_status import AnalysisPlan, FrozenLag

COMPLETE = 0.9
"""Part of the outcomes that have come, surely, at a learned lag: what a difference is at least a part of."""
IMMATURE = "no unit is old enough for its outcomes to have come"
TWICE = 2  # times the lag must fit into maxDuration, or it cannot be learned


class Maturity(NamedTuple):
    """Which units of a metric are mature.

    Attributes:
        lag: Their least age in seconds.
        learned: Whether it was learned.
        until: The first exposures up to which all units are among the mature ones; None: nobody is.
    """

    lag: float
    learned: bool
    until: datetime | None

    def reached(self, now: datetime) -> bool:
        """Tell whether all of them are that old: where outcomes begin to come later, the lag has grown."""
        return self.until is not None and self.until + timedelta(seconds=self.lag) <= now


def lags(spec: ExperimentSpec) -> dict[str, FrozenLag]:
    """Return the lag of each metric that decides and has no bound on how late its outcomes come.

    While nothing is known, units count at half of maxDuration: a longer lag could never be learned.
    """
    deciding = [*([spec.metrics.primary] if spec.metrics.primary else []), *spec.metrics.guardrails]
    most = seconds(spec.decision.max_duration) / TWICE
    return {
        metric.name: FrozenLag(seconds=seconds(metric.lag))
        if metric.lag
        else FrozenLag(seconds=most, learned=True)
        for metric in deciding
        if metric.unbounded
    }


def finding(spec: ExperimentSpec, plan: AnalysisPlan | None, known: Mapping[str, Maturity]) -> str:
    """Say how old units must be to decide, by metric; empty if no outcome can come too late."""
    return "; ".join(_findings(spec, plan, known))


def _findings(
    spec: ExperimentSpec, plan: AnalysisPlan | None, known: Mapping[str, Maturity]
) -> Iterator[str]:
    frozen = plan.lags if plan else {}
    if early := [g.name for g in spec.metrics.guardrails if g.unbounded and g.name not in frozen]:
        yield (
            f"{', '.join(early)}: no window, so units count as good before their outcomes have come; "
            "give a window as long as outcomes take"
        )
    for name, lag in frozen.items():
        found = known.get(name)
        if not lag.learned:
            yield f"{name}: units decide from an age of {spelled(lag.seconds)} on, as lag says"
        elif found and found.learned:
            yield f"{name}: units decide from an age of {spelled(found.lag)} on, learned from its outcomes"
        else:
            yield (
                f"{name}: no window, and too few outcomes to tell how late they come: units decide from an "
                f"age of {spelled(lag.seconds)} on, half of maxDuration; give a window or a lag"
            )
