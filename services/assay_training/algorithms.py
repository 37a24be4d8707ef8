"""The algorithms by name: what each builds, the ranges searched by default, and where the search starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from assay_training.pipeline import Style
from assay_training.spec import Task

Params = Mapping[str, Any]


@dataclass(frozen=True)
class Range:
    """Values that a parameter may take: whole numbers when `low` is one."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Algorithm:
    """How one family of models is built and searched.

    Attributes:
        name: As in the spec.
        tasks: The tasks that it can do.
        style: The preprocessing that it likes.
        build: From task, parameters and seed to an estimator.
        space: The default ranges, by the estimator's own parameter names.
        start: The first parameters that are tried; known to be decent.
    """

    name: str
    tasks: frozenset[Task]
    style: Style
    build: Callable[[Task, Params, int], Any]
    space: Mapping[str, Range]
    start: Params


def _logistic(task: Task, params: Params, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415  (each import costs what only its user should pay)

    del task
    return LogisticRegression(max_iter=1000, random_state=seed, **params)


def _linear(task: Task, params: Params, seed: int) -> Any:
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    del task
    return Ridge(random_state=seed, **params)


def _boosting(task: Task, params: Params, seed: int) -> Any:
    from sklearn import ensemble  # noqa: PLC0415

    build = (
        ensemble.HistGradientBoostingClassifier
        if task == "Classification"
        else ensemble.HistGradientBoostingRegressor
    )
    # Categories stay ordered codes: told of them, the estimator would hold a function, which skops refuses.
    return build(early_stopping=False, random_state=seed, **params)


def _forest(task: Task, params: Params, seed: int) -> Any:
    from sklearn import ensemble  # noqa: PLC0415

    build = ensemble.RandomForestClassifier if task == "Classification" else ensemble.RandomForestRegressor
    return build(random_state=seed, **params)


_BOTH: frozenset[Task] = frozenset({"Classification", "Regression"})

ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            "LogisticRegression",
            frozenset({"Classification"}),
            "linear",
            _logistic,
            {"C": Range(1e-3, 1e2, log=True)},
            {"C": 1.0},
        ),
        Algorithm(
            "LinearRegression",
            frozenset({"Regression"}),
            "linear",
            _linear,
            {"alpha": Range(1e-3, 1e3, log=True)},
            {"alpha": 1.0},
        ),
        Algorithm(
            "HistGradientBoosting",
            _BOTH,
            "boosting",
            _boosting,
            {
                "learning_rate": Range(0.02, 0.3, log=True),
                "max_iter": Range(40, 200),
                "max_leaf_nodes": Range(4, 63, log=True),
                "min_samples_leaf": Range(5, 80, log=True),
                "l2_regularization": Range(1e-6, 10.0, log=True),
            },
            {
                "learning_rate": 0.1,
                "max_iter": 100,
                "max_leaf_nodes": 15,
                "min_samples_leaf": 20,
                "l2_regularization": 1e-3,
            },
        ),
        Algorithm(
            "RandomForest",
            _BOTH,
            "forest",
            _forest,
            {
                "n_estimators": Range(50, 200),
                "max_depth": Range(4, 24),
                "min_samples_leaf": Range(1, 20, log=True),
                "max_features": Range(0.1, 1.0),
            },
            {"n_estimators": 100, "max_depth": 16, "min_samples_leaf": 2, "max_features": 0.5},
        ),
    )
}

DEFAULTS: Mapping[Task, tuple[str, ...]] = {
    "Classification": ("LogisticRegression", "HistGradientBoosting"),
    "Regression": ("LinearRegression", "HistGradientBoosting"),
}
