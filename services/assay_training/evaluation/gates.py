"""Gates: offline bars that a version must pass before it gets traffic; answers say the number and the bar."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay_training.data.target import Target
from assay_training.errors import JobError
from assay_training.evaluation.bootstrap import LEVEL, advantages
from assay_training.evaluation.metrics import METRICS, SERVING, Context, fitting
from assay_training.spec import Gate

FEWEST = 30  # test rows of a slice that can be judged


class Verdict(NamedTuple):
    """The answer of one rule of a gate."""

    metric: str
    rule: str
    value: float
    message: str
    passed: bool


class Facts(NamedTuple):
    """What gates look at.

    Attributes:
        version: The test rows with the version's answers.
        champion: The same rows with the champion's answers; None where there is no champion to compare with.
        incomparable: Why there is none, when there should be one.
        slices: For each sliced column its value in each test row.
        serving: Size and latency, by the names of `SERVING`.
        seed: For resampling.
    """

    version: Context
    champion: Context | None = None
    incomparable: str = ""
    slices: Mapping[str, NDArray[Any]] = {}
    serving: Mapping[str, float] = {}
    seed: int = 0


def check(gates: Sequence[Gate], target: Target) -> None:
    """Every metric that gates name must fit the target.

    Raises:
        JobError: One does not.
    """
    for number, gate in enumerate(gates):
        if gate.metric not in SERVING:
            fitting(gate.metric, target, f"gates[{number}].metric")
        elif gate.slice or gate.not_worse_than_champion_by is not None:
            raise JobError(
                "MetricUnfit", f"gates[{number}]: {gate.metric} goes with min and max of all rows only"
            )


def judge(gates: Sequence[Gate], facts: Facts) -> tuple[Verdict, ...]:
    """One verdict for each rule of each gate, in the order of the spec."""
    return tuple(verdict for gate in gates for verdict in _rules(gate, facts))


def _rules(gate: Gate, facts: Facts) -> Iterator[Verdict]:
    for side, bar in (("min", gate.min), ("max", gate.max)):
        if bar is not None and gate.slice:
            yield _sliced(gate, side, bar, facts)
        elif bar is not None:
            yield _bar(gate.metric, side, _value(gate.metric, facts), bar)
    if gate.not_worse_than_champion_by is not None:
        yield _against(gate, gate.not_worse_than_champion_by, facts)


def _value(metric: str, facts: Facts) -> float:
    return facts.serving[metric] if metric in SERVING else METRICS[metric].measure(facts.version)


def _bar(metric: str, side: str, value: float, bar: float) -> Verdict:
    passed = _passes(side, value, bar)
    sign = {("min", True): ">=", ("min", False): "<", ("max", True): "<=", ("max", False): ">"}[side, passed]
    return Verdict(metric, f"{side} {bar:g}", value, f"{metric} {value:.4g} {sign} {bar:g}", passed=passed)


def _passes(side: str, value: float, bar: float) -> bool:
    return value >= bar if side == "min" else value <= bar


def _sliced(gate: Gate, side: str, bar: float, facts: Facts) -> Verdict:
    """The worst slice speaks for all; slices that are too small to judge are told."""
    column = facts.slices[str(gate.slice)]
    found = dict(_by_slice(gate.metric, column, facts.version))
    small = len(np.unique(column)) - len(found)
    rule = f"{side} {bar:g} in each {gate.slice}"
    if not found:
        message = (
            f"{gate.metric}: no {gate.slice} has {FEWEST} test rows with all classes, so none can be judged"
        )
        return Verdict(gate.metric, rule, np.nan, message, passed=False)
    worst = min(found, key=lambda name: found[name] if side == "min" else -found[name])
    verdict = _bar(gate.metric, side, found[worst], bar)
    message = f"{verdict.message} in {gate.slice} {worst!r}, the worst of {len(found)}"
    return verdict._replace(
        rule=rule, message=message + (f"; {small} are too small to judge" if small else "")
    )


def _by_slice(metric: str, column: NDArray[Any], context: Context) -> Iterator[tuple[str, float]]:
    for name in np.unique(column):
        inside = column == name
        part = context.at(inside)
        enough = inside.sum() >= FEWEST
        if enough and (
            context.target.classes is None or len(np.unique(part.truth)) == len(context.target.classes)
        ):
            yield str(name), METRICS[metric].measure(part)


def _against(gate: Gate, margin: float, facts: Facts) -> Verdict:
    rule, value = f"notWorseThanChampionBy {margin:g}", _value(gate.metric, facts)
    measured = f"{gate.metric} {value:.4g}"
    if facts.incomparable:
        return Verdict(gate.metric, rule, value, f"{measured}: {facts.incomparable}", passed=False)
    if facts.champion is None:
        return Verdict(gate.metric, rule, value, f"{measured}: there is no champion yet", passed=True)
    metric = METRICS[gate.metric]
    bar = metric.measure(facts.champion)
    better = value - bar if metric.higher else bar - value
    likely = advantages(metric, facts.version, facts.champion, facts.seed)
    low, high = np.quantile(likely, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    sure = better if gate.confidence is None else float(np.quantile(likely, 1 - gate.confidence))
    passed = bool(sure >= -margin)
    wanted = "" if gate.confidence is None else f" with {gate.confidence:.0%} confidence"
    message = (
        f"{measured} against the champion's {bar:.4g}: {'' if passed else 'not '}within {margin:g}{wanted} "
        f"(better by {better:.4g}, from {low:.4g} to {high:.4g})"
    )
    return Verdict(gate.metric, rule + wanted, value, message, passed=passed)
