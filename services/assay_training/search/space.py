"""What is searched: for each algorithm the ranges of its parameters, by default or as the spec says."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import optuna

from assay_training.fitting.algorithms import Algorithm, Range
from assay_training.fitting.candidates import Candidate

GRID_POINTS = 3

Algorithms = Sequence[Algorithm]


def propose(trial: optuna.Trial, algorithms: Algorithms) -> Candidate:
    """Let the sampler choose an algorithm, then its parameters."""
    named = {algorithm.name: algorithm for algorithm in algorithms}
    name = trial.suggest_categorical("algorithm", list(named)) if len(named) > 1 else algorithms[0].name
    found = {param: _suggest(trial, f"{name}.{param}", among) for param, among in named[name].space.items()}
    return Candidate(name, found)


def starts(algorithms: Algorithms) -> list[dict[str, Any]]:
    """What is tried first: decent parameters of each algorithm."""
    return [_point(each, each.start, algorithms) for each in algorithms]


def grid(algorithms: Algorithms) -> list[dict[str, Any]]:
    """All points of a grid, algorithm after algorithm."""
    points = []
    for each in algorithms:
        axes = [_axis(among) for among in each.space.values()]
        points += [
            _point(each, dict(zip(each.space, values, strict=True)), algorithms)
            for values in itertools.product(*axes)
        ]
    return points


def _point(algorithm: Algorithm, values: Mapping[str, Any], among: Algorithms) -> dict[str, Any]:
    params = {f"{algorithm.name}.{param}": values[param] for param in algorithm.space if param in values}
    return {"algorithm": algorithm.name, **params} if len(among) > 1 else params


def _suggest(trial: optuna.Trial, name: str, among: Range) -> Any:
    if among.choices:
        return trial.suggest_categorical(name, list(among.choices))
    if among.whole:
        return trial.suggest_int(name, int(among.low), int(among.high), log=among.log)
    return trial.suggest_float(name, among.low, among.high, log=among.log)


def _axis(among: Range) -> list[Any]:
    """Evenly spaced values, ends included."""
    if among.choices:
        return list(among.choices)
    steps = [step / (GRID_POINTS - 1) for step in range(GRID_POINTS)]
    if among.log:
        values = [among.low * (among.high / among.low) ** step for step in steps]
    else:
        values = [among.low + (among.high - among.low) * step for step in steps]
    values = [min(max(value, among.low), among.high) for value in values]
    return list(dict.fromkeys(round(value) for value in values)) if among.whole else values
