"""The algorithms of one job: those that the spec names, with its parameters, ranges and constraints."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay_training.data.columns import Inputs
from assay_training.errors import JobError
from assay_training.fitting.algorithms import ALGORITHMS, DEFAULTS, Algorithm, Params, Range
from assay_training.search.imports import estimator_class
from assay_training.spec import Estimator, Job, SearchRange, Task, Training

WEIGHTED = {"LogisticRegression", "HistGradientBoosting", "RandomForest"}
MONOTONIC = {"HistGradientBoosting"}
DIRECTIONS = {"Increasing": 1, "Decreasing": -1}
FEWEST_AXES = 2


def algorithms(job: Job, inputs: Inputs) -> tuple[Algorithm, ...]:
    """What is searched across.

    Raises:
        JobError: An algorithm doesn't fit the task, or has no such parameter.
    """
    training = job.training
    task = learned(training, job.task)
    if training.estimator:
        found: tuple[Algorithm, ...] = (_own(training.estimator),)
    else:
        chosen = [ALGORITHMS[name] for name in training.algorithms or DEFAULTS[task]]
        found = tuple(_checked(_shaped(each, training, inputs), task) for each in chosen)
    _fits_sampler(training, found)
    return found


def learned(training: Training, task: Task) -> Task:
    """The task of the estimators: a reframed regression is a classification over bins."""
    return "Classification" if training.reframing else task


def _fits_sampler(training: Training, found: tuple[Algorithm, ...]) -> None:
    if training.tuning.sampler != "CMAES":
        return
    ranges = [among for each in found for among in each.space.values()]
    if len(found) > 1 or len(ranges) < FEWEST_AXES or any(among.choices for among in ranges):
        raise JobError(
            "AlgorithmUnfit",
            "tuning.sampler CMAES searches one algorithm with two or more parameters that are all numbers: "
            "name one in training.algorithms without choices in tuning.space, or use TPE",
        )


def check(training: Training, task: Task) -> None:
    """What can be said before any data is read.

    Raises:
        JobError: As `algorithms`.
    """
    if training.reframing and task != "Regression":
        raise JobError("AlgorithmUnfit", "training.reframing is for regressions")
    task = learned(training, task)
    names = training.algorithms or DEFAULTS[task]
    for field, requested in (("params", training.params), ("tuning.space", training.tuning.space)):
        if unknown := sorted(set(requested) - set(ALGORITHMS)):
            raise JobError("InvalidSpec", f"training.{field} names {', '.join(unknown)}: no such algorithm")
    for name in () if training.estimator else names:
        if task not in ALGORITHMS[name].tasks:
            fits = sorted(each.name for each in ALGORITHMS.values() if task in each.tasks)
            raise JobError(
                "AlgorithmUnfit", f"algorithms: {name} cannot do {task}; these can: {', '.join(fits)}"
            )
    for field, able, wish in (
        ("classWeight", WEIGHTED, training.class_weight),
        ("monotonic", MONOTONIC, training.monotonic),
    ):
        unable = [name for name in names if name not in able]
        if wish and (unable or training.estimator):
            raise JobError("AlgorithmUnfit", f"training.{field} works with {', '.join(sorted(able))} only")


def _shaped(algorithm: Algorithm, training: Training, inputs: Inputs) -> Algorithm:
    fixed: dict[str, Any] = dict(training.params.get(algorithm.name, {}))
    if training.class_weight:
        fixed["class_weight"] = "balanced"
    if training.monotonic:
        fixed["monotonic_cst"] = _constraints(training.monotonic, inputs)
    requested: Mapping[str, SearchRange] = training.tuning.space.get(algorithm.name, {})
    space = {
        **algorithm.space,
        **{name: _range(among, algorithm.space.get(name)) for name, among in requested.items()},
    }
    space = {name: among for name, among in space.items() if name not in fixed}
    start = {
        name: value for name, value in algorithm.start.items() if name in space and name not in requested
    }
    return replace(algorithm, space=space, start=start, build=_with(algorithm, fixed))


def _with(algorithm: Algorithm, fixed: Params) -> Any:
    return lambda task, params, seed: algorithm.build(task, {**fixed, **params}, seed)


def _range(among: SearchRange, default: Range | None) -> Range:
    """What the spec says; JSON writes 1.0 as 1, so the default range tells whether numbers are whole."""
    if among.choices:
        return Range(choices=among.choices)
    assert among.low is not None
    assert among.high is not None
    if among.whole and (default is None or default.whole or bool(default.choices)):
        return Range(int(among.low), int(among.high), log=among.log)
    return Range(float(among.low), float(among.high), log=among.log)


def _constraints(monotonic: Mapping[str, str], inputs: Inputs) -> list[int]:
    """One sign for each column as the encoder puts them out: categories, then numbers."""
    if unknown := [name for name in monotonic if name not in inputs.numeric]:
        raise JobError(
            "FeatureUnfit", f"training.monotonic names {', '.join(unknown)}: only numeric features can be"
        )
    if inputs.dates or inputs.text:
        raise JobError("FeatureUnfit", "training.monotonic cannot be combined with dates and texts")
    categories = [0] * len(inputs.categorical)
    return categories + [DIRECTIONS.get(monotonic.get(name, ""), 0) for name in inputs.numeric]


def _checked(algorithm: Algorithm, task: Task) -> Algorithm:
    """Build it once, so that a parameter that doesn't exist is told before any data is learned from."""
    sample = {
        name: among.choices[0] if among.choices else among.low for name, among in algorithm.space.items()
    }
    try:
        algorithm.build(task, sample, 0)
    except TypeError as error:
        raise JobError(
            "InvalidSpec", f"training.params or tuning.space of {algorithm.name}: {error}"
        ) from error
    return algorithm


def _own(estimator: Estimator) -> Algorithm:
    build = estimator_class(estimator.import_)
    try:
        build(**estimator.params)
    except TypeError as error:
        raise JobError("InvalidSpec", f"training.estimator.import {estimator.import_}: {error}") from error
    tasks: frozenset[Task] = frozenset({"Classification", "Regression"})
    package, _, path = estimator.import_.partition(".")
    positions, name = package == "xgboost", path.rpartition(".")[2]
    return Algorithm(name, tasks, estimator.style, lambda *_: build(**estimator.params), {}, {}, positions)
