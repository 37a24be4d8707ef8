"""The level of the primary metric before the Experiment: that of the spec, or what the champion had last."""

from collections.abc import Iterable
from datetime import datetime
from math import sqrt

from pydantic import ValidationError

from assay_api import Experiment, ExperimentSpec, Primary
from assay_api.experiment_status import AnalysisPlan, Baseline
from assay_api.names import mature
from assay_operator.decide.experiment_facts import ExperimentFacts
from assay_stats import Moments

FEWEST_UNITS = 100
FEWEST_EVENTS = 10
_OTHER = {"direction", "lag", "baseline", "deviation", "minimum_effect"}  # than what is counted


def baseline(experiment: Experiment, before: Iterable[Experiment]) -> Baseline | None:
    """Return the baseline of the spec, or that of the newest earlier Experiment which knows one, or None.

    It knows one if the version of the control was one of its arms, and the metric and the unit were the same.
    """
    spec, primary = experiment.spec, experiment.spec.metrics.primary
    if primary is None:
        return None
    if primary.baseline is not None:
        return Baseline(value=primary.baseline, deviation=primary.deviation, source="Spec")
    found = [level for earlier in before if (level := _level(spec, earlier))]
    return max(found, key=_end, default=None)


def based(primary: Primary, on: Baseline | None) -> Primary:
    """Return the metric with this baseline; as it is where effect and baseline do not fit together."""
    if on is None or on.source == "Spec":
        return primary
    known = {"baseline": on.value} | ({"deviation": on.deviation} if on.deviation else {})
    written = primary.model_dump(by_alias=True, exclude_none=True)
    try:
        return type(primary).model_validate({**known, **written})
    except ValidationError:
        return primary


def levels(look: ExperimentFacts, plan: AnalysisPlan | None) -> dict[str, tuple[float, ...]]:
    """Return the sums of the primary by arm, of mature units where outcomes may come at any time."""
    primary = look.spec.metrics.primary
    if primary is None or plan is None:
        return {}
    name = mature(primary.name) if primary.name in plan.lags else primary.name
    return {arm.name: tuple(map(float, arm.moments[name])) for arm in look.arms if name in arm.moments}


def _end(level: Baseline) -> datetime:
    assert level.ended is not None
    return level.ended


def _level(spec: ExperimentSpec, earlier: Experiment) -> Baseline | None:
    """Return the level of the control's version in an earlier Experiment; None if it is not known well."""
    arm = next((arm for arm in earlier.spec.arms if arm.version == spec.control.version), None)
    sums = earlier.status.state.levels.get(arm.name) if arm else None
    decision, mine, its = earlier.status.decision, spec.metrics.primary, earlier.spec.metrics.primary
    if not sums or not decision or not mine or not its or not _alike(spec, earlier.spec, mine, its):
        return None
    level = Moments(int(sums[0]), *sums[1:])
    if not _known(level, binary=mine.type == "Proportion"):
        return None
    return Baseline(
        value=level.mean,
        deviation=None if mine.type == "Proportion" else sqrt(level.variance),
        source="History",
        experiment=earlier.metadata.name,
        version=spec.control.version,
        began=earlier.status.started_at,
        ended=decision.at,
        units=level.n,
    )


def _alike(spec: ExperimentSpec, earlier: ExperimentSpec, mine: Primary, its: Primary) -> bool:
    return spec.unit == earlier.unit and mine.model_dump(exclude=_OTHER) == its.model_dump(exclude=_OTHER)


def _known(level: Moments, *, binary: bool) -> bool:
    if binary:
        return min(level.total, level.n - level.total) >= FEWEST_EVENTS
    return level.n >= FEWEST_UNITS and level.variance > 0
