"""Gates: offline bars that a version must pass before it gets traffic; answers say the number and the bar."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from assay_training.metrics import METRICS
from assay_training.spec import Gate


class Verdict(NamedTuple):
    """The answer of one rule of a gate."""

    metric: str
    rule: str
    value: float
    message: str
    passed: bool


class Facts(NamedTuple):
    """What gates look at: metrics on the test rows, of the version and of the champion on the same rows."""

    version: Mapping[str, float]
    champion: Mapping[str, float] | None
    incomparable: str = ""  # why there is no champion to compare with, when there should be one


def judge(gates: Sequence[Gate], facts: Facts) -> tuple[Verdict, ...]:
    """One verdict for each rule of each gate, in the order of the spec."""
    return tuple(verdict for gate in gates for verdict in _rules(gate, facts))


def _rules(gate: Gate, facts: Facts) -> Iterator[Verdict]:
    value = facts.version[gate.metric]
    if gate.min is not None:
        yield _bar(gate.metric, "min", value, gate.min)
    if gate.max is not None:
        yield _bar(gate.metric, "max", value, gate.max)
    if gate.not_worse_than_champion_by is not None:
        yield _champion(gate.metric, gate.not_worse_than_champion_by, facts)


def _bar(metric: str, side: str, value: float, bar: float) -> Verdict:
    passed = value >= bar if side == "min" else value <= bar
    sign = {("min", True): ">=", ("min", False): "<", ("max", True): "<=", ("max", False): ">"}[side, passed]
    return Verdict(metric, f"{side} {bar:g}", value, f"{metric} {value:.4g} {sign} {bar:g}", passed=passed)


def _champion(metric: str, margin: float, facts: Facts) -> Verdict:
    rule, value = f"notWorseThanChampionBy {margin:g}", facts.version[metric]
    if facts.incomparable:
        return Verdict(metric, rule, value, f"{metric} {value:.4g}: {facts.incomparable}", passed=False)
    if facts.champion is None:
        return Verdict(metric, rule, value, f"{metric} {value:.4g}: there is no champion yet", passed=True)
    bar = facts.champion[metric]
    worse = bar - value if METRICS[metric].higher else value - bar
    passed = worse <= margin
    word = "within" if passed else "worse by more than"
    message = f"{metric} {value:.4g} against the champion's {bar:.4g}: {word} {margin:g}"
    return Verdict(metric, rule, value, message, passed=passed)
