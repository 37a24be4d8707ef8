"""How many units the minimum effect needs by arm, how many are missing, and when they will be there."""

from datetime import timedelta

from assay_api import ExperimentSpec, Primary
from assay_api.experiment_status import AnalysisPlan, Baseline, Forecast
from assay_operator.decide.experiment_facts import ExperimentFacts

DAY = 86_400.0


def sizes(spec: ExperimentSpec, primary: Primary, effect: float) -> dict[str, int]:
    """Return the units by arm that find an effect; the control has as many as any candidate needs of it."""
    from assay_stats.duration import Goal, plan  # noqa: PLC0415 - SciPy's optimisers are needed here only

    assert primary.baseline is not None
    variance = primary.deviation**2 if primary.type == "Mean" and primary.deviation else None
    weights, found = spec.weights, {spec.control.name: 0}
    for arm in spec.candidates:
        share = weights[arm.name] / (weights[arm.name] + weights[spec.control.name])
        goal = Goal(primary.baseline, effect, variance, spec.decision.alpha, spec.decision.power, share)
        size = plan(goal).size
        found[arm.name] = size.treatment
        found[spec.control.name] = max(found[spec.control.name], size.control)
    return found


def effect_of(primary: Primary) -> float | None:
    """Return the minimum effect as a difference, in the better direction; None if it cannot be told."""
    effect, base = primary.minimum_effect, primary.baseline
    if effect is None or base is None or (primary.type == "Mean" and primary.deviation is None):
        return None
    size = effect.absolute or (effect.relative or 0) * abs(base)
    return size if primary.direction == "Increase" else -size


def forecast(
    spec: ExperimentSpec, plan: AnalysisPlan, look: ExperimentFacts | None = None, step_units: int = 0
) -> Forecast:
    """Return what is planned and, once units come, what is missing of it."""
    units = {arm.name: arm.units for arm in look.present} if look else {}
    missing = {
        arm: max(0, n - units.get(arm, 0)) for arm, n in plan.units.items() if not look or arm in units
    }
    rate = _rate(look, step_units) if look else None
    days = _days(spec, missing, rate) if rate else None
    eta = look.now + timedelta(days=days) if look and days is not None else None
    return Forecast(
        units=plan.units,
        missing=missing,
        effect=plan.effect,
        baseline=plan.baseline,
        units_per_day=float(f"{rate:.3g}") if rate else None,
        eta=eta.replace(second=0, microsecond=0) if eta else None,
        message=f"{_planned(spec, plan)}{_left(missing, days)}"[:1024],
    )


def _rate(look: ExperimentFacts, step_units: int) -> float | None:
    """New units of all arms a day, in the present step: an earlier one had fewer."""
    came = look.total_units - step_units
    return came / look.in_step * DAY if came > 0 and look.in_step > 0 else None


def _days(spec: ExperimentSpec, missing: dict[str, int], rate: float) -> float | None:
    """Days until the last arm has its units; None if there is nothing to wait for, or no end."""
    weights, total = spec.weights, sum(spec.weights.values())
    days = max((n / (rate * weights[arm] / total) for arm, n in missing.items() if n), default=None)
    return days if days is not None and days < 36_500 else None  # noqa: PLR2004 - a hundred years


def _planned(spec: ExperimentSpec, plan: AnalysisPlan) -> str:
    primary = spec.metrics.primary
    if primary is None:
        return "no primary metric, so no sample size is planned"
    if plan.effect is not None and plan.baseline:
        arms = " + ".join(f"{n:,} {arm}" for arm, n in plan.units.items())
        return (
            f"{arms} units find {plan.effect:+.3g} with power {spec.decision.power:g}, {_of(plan.baseline)}"
        )
    if plan.baseline is None:
        return (
            "no baseline, and no earlier Experiment of this metric had the control's version in an arm: no "
            "sample size is planned, and the test is not tuned to one"
        )
    return f"no minimumEffect that can be planned for, so no sample size; {_of(plan.baseline)}"


def _of(baseline: Baseline) -> str:
    level = f"baseline {baseline.value:.4g}"
    if baseline.source == "Spec":
        return level
    return f"{level}, that of {baseline.version} in {baseline.experiment} (n = {baseline.units:,})"


def _left(missing: dict[str, int], days: float | None) -> str:
    if not missing:
        return ""
    if not any(missing.values()):
        return "; they are there"
    arms = ", ".join(f"{n:,} {arm}" for arm, n in missing.items() if n)
    return f"; missing: {arms}" + (f", in {days:.1f} days at the present rate" if days is not None else "")
