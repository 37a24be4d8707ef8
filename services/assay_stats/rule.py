"""The rule of a metric: chosen from the plan, frozen at the start, never switched on data.

A rule is plain values, so that it survives in an Experiment's status and a verdict can be computed again
from its record years later.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from assay_stats.sequential import tuning
from assay_stats.smallsample import PART

MetricType = Literal["Proportion", "Mean", "Ratio", "Cuped"]
Direction = Literal["Increase", "Decrease"]
Method = Literal["AsymptoticCS", "BetaBinomial", "ExactMargin"]

RARE = 0.1
FEWEST_UNITS = 100
FEWEST_EVENTS = 10
PRIMARY_CONCENTRATION = 100.0
HARM_CONCENTRATION = 10.0
PLAN_PART = 4
RATE_PART = 0.01
"""Of alpha, for the interval of each arm's own rate, which turns a ratio of rates into a difference."""


class Record:
    """What frozen rules share: the way to and from JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: An unknown field, or one that is missing and has no default.
        """
        known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if unknown := set(values) - known:
            raise ValueError(f"{cls.__name__}: unknown fields {sorted(unknown)}")
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(f"{cls.__name__}: {error}") from None


@dataclass(frozen=True)
class Rule(Record):
    """How a primary (or secondary) metric is decided.

    Attributes:
        type: Proportion (units with the event), Mean, Ratio of two sums per unit, or Cuped (a mean with its
            covariate taken out).
        method: AsymptoticCS, or BetaBinomial for a rare binary outcome.
        alpha: Chance of a false decision over all looks; two-sided.
        direction: Which way is better.
        n_star: Units of both arms at which the confidence sequence is tightest.
        concentration: Weight of the beta mixture.
        count: What BetaBinomial counts: the rarer of events and non-events, as planned.
        floor_units: Fewest units per arm for a decision.
        floor_events: Fewest events and non-events per arm for an AsymptoticCS decision on a proportion.
    """

    type: MetricType
    method: Method
    alpha: float
    direction: Direction = "Increase"
    n_star: float = 5000.0
    concentration: float = PRIMARY_CONCENTRATION
    count: Literal["Events", "NonEvents"] = "Events"
    floor_units: int = FEWEST_UNITS
    floor_events: int = FEWEST_EVENTS

    @property
    def level(self) -> float:
        """Level of the confidence sequence: alpha less the part of early harm, or of the arms' rates."""
        return self.alpha * (1 - PART if self.method == "AsymptoticCS" else 1 - 2 * RATE_PART)


@dataclass(frozen=True)
class GuardrailRule(Record):
    """How a guardrail is watched for harm and cleared for promotion; one margin serves both.

    Attributes:
        type: Proportion (units with the event) or Mean.
        method: BetaBinomial (relative margin), ExactMargin (absolute margin) or AsymptoticCS.
        alpha: Level of the rollback over all guardrails, and of each non-inferiority test.
        direction: Which way is better; Decrease for errors and slow answers.
        relative: Margin as a part of control's mean.
        absolute: Margin in units of the metric; added to the relative one.
        guardrails: How many guardrails share the rollback's alpha (Bonferroni).
        n_star: Units of both arms at which the confidence sequence is tightest.
        concentration: Weight of the beta mixture.
        floor_units: Fewest units per arm for an AsymptoticCS decision.
        floor_events: Fewest events and non-events per arm for an AsymptoticCS decision on a proportion.
    """

    type: MetricType
    method: Method
    alpha: float
    direction: Direction = "Decrease"
    relative: float = 0.0
    absolute: float = 0.0
    guardrails: int = 1
    n_star: float = 5000.0
    concentration: float = HARM_CONCENTRATION
    floor_units: int = FEWEST_UNITS
    floor_events: int = FEWEST_EVENTS


def primary_rule(
    type: MetricType,  # noqa: A002 - the word of the Experiment's spec
    *,
    alpha: float,
    planned_units: float | None = None,
    base_rate: float | None = None,
    direction: Direction = "Increase",
) -> Rule:
    """Choose the rule of a primary or secondary metric from the plan.

    Args:
        type: Proportion or Mean.
        alpha: Two-sided level over all looks.
        planned_units: Units of all compared arms together that the plan asks for; N* is a quarter of it.
        base_rate: Control's expected rate of a proportion; None when unknown.
        direction: Which way is better.

    Raises:
        ValueError: alpha or base_rate outside (0, 1), or planned_units not above 0.
    """
    _refuse(alpha, planned_units, base_rate)
    rare = type == "Proportion" and base_rate is not None and min(base_rate, 1 - base_rate) < RARE
    return Rule(
        type=type,
        method="BetaBinomial" if rare else "AsymptoticCS",
        alpha=alpha,
        direction=direction,
        n_star=_n_star(planned_units),
        concentration=planned_concentration(_rarer(base_rate) * (planned_units or 0), alpha),
        count="NonEvents" if rare and base_rate is not None and base_rate > 1 / 2 else "Events",
    )


def guardrail_rule(  # noqa: PLR0913 - a plan has this many parts
    type: MetricType,  # noqa: A002 - the word of the Experiment's spec
    *,
    alpha: float,
    guardrails: int = 1,
    relative: float = 0.0,
    absolute: float = 0.0,
    direction: Direction = "Decrease",
    base_rate: float | None = None,
    planned_units: float | None = None,
) -> GuardrailRule:
    """Choose the rule of a guardrail from the plan.

    A proportion that is rare, or of which nothing is known, gets an exact test: the beta-binomial one for a
    relative margin, the likelihood ratio for an absolute one. Others get the asymptotic sequence.

    Raises:
        ValueError: A level, rate, margin or count out of range.
    """
    _refuse(alpha, planned_units, base_rate)
    if guardrails < 1 or relative < 0 or absolute < 0:
        raise ValueError(f"guardrails {guardrails} >= 1 and margins {relative}, {absolute} >= 0 are needed")
    common = type == "Mean" or (base_rate is not None and base_rate >= RARE)
    mixed = bool(relative and absolute)
    exact: Method = "ExactMargin" if absolute else "BetaBinomial"
    return GuardrailRule(
        type=type,
        method="AsymptoticCS" if common or mixed else exact,
        alpha=alpha,
        direction=direction,
        relative=relative,
        absolute=absolute,
        guardrails=guardrails,
        n_star=_n_star(planned_units),
    )


def planned_concentration(events: float, alpha: float) -> float:
    """Return the beta mixture's weight for a planned number of events: tightest at a quarter of them.

    What N / N* is to the asymptotic sequence, events / concentration is to this one.
    """
    return max(PRIMARY_CONCENTRATION, round(events / (PLAN_PART * tuning(alpha))))


def _rarer(base_rate: float | None) -> float:
    return 0.0 if base_rate is None else min(base_rate, 1 - base_rate)


def _n_star(planned_units: float | None) -> float:
    return planned_units / PLAN_PART if planned_units else 5000.0


def _refuse(alpha: float, planned_units: float | None, base_rate: float | None) -> None:
    if not 0 < alpha < 1:
        raise ValueError(f"alpha: {alpha} is not between 0 and 1")
    if base_rate is not None and not 0 < base_rate < 1:
        raise ValueError(f"base_rate: {base_rate} is not between 0 and 1")
    if planned_units is not None and not planned_units > 0:
        raise ValueError(f"planned_units: {planned_units} is not above 0")
