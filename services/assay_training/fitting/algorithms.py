"""The algorithms by name: what each builds, the ranges searched by default, and where the search starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from assay_training.fitting.pipeline import Style
from assay_training.spec import Task

Params = Mapping[str, Any]
Build = Callable[[Task, Params, int], Any]


@dataclass(frozen=True)
class Range:
    """Values that a parameter may take: choices, or numbers between ends, whole if both ends are."""

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the values are whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)


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
        positions: Whether a classifier wants 0, 1, ... for labels; the manifest tells what they stand for.
    """

    name: str
    tasks: frozenset[Task]
    style: Style
    build: Build
    space: Mapping[str, Range]
    start: Params
    positions: bool = False


def _estimator(path: str, params: Params) -> Any:
    """Import an estimator only now: each costs what only its user should pay."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**params)


def _build(classification: str, regression: str = "", **fixed: Any) -> Build:
    """Build an estimator by the import path for the task; `fixed` gives way to parameters."""

    def build(task: Task, params: Params, seed: int) -> Any:
        path = classification if task == "Classification" else regression
        return _estimator(path, {**fixed, "random_state": seed, **params})

    return build


def _plain(classification: str, regression: str = "") -> Build:
    def build(task: Task, params: Params, seed: int) -> Any:
        del seed
        return _estimator(classification if task == "Classification" else regression, params)

    return build


def _vectors(task: Task, params: Params, seed: int) -> Any:
    """A support vector machine; its scores become probabilities by a fitted sigmoid."""
    if task == "Regression":
        return _estimator("sklearn.svm.SVR", params)
    machine = _estimator("sklearn.svm.SVC", {"random_state": seed, **params})
    return _estimator("sklearn.calibration.CalibratedClassifierCV", {"estimator": machine, "ensemble": False})


_BOTH: frozenset[Task] = frozenset({"Classification", "Regression"})

ALGORITHMS = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            "LogisticRegression",
            frozenset({"Classification"}),
            "linear",
            _build("sklearn.linear_model.LogisticRegression", max_iter=1000),
            {"C": Range(1e-3, 1e2, log=True)},
            {"C": 1.0},
        ),
        Algorithm(
            "LinearRegression",
            frozenset({"Regression"}),
            "linear",
            _build("", "sklearn.linear_model.Ridge"),
            {"alpha": Range(1e-3, 1e3, log=True)},
            {"alpha": 1.0},
        ),
        Algorithm(
            "HistGradientBoosting",
            _BOTH,
            "boosting",
            # Categories stay ordered codes: told of them, it would hold a function, which skops refuses.
            _build(
                "sklearn.ensemble.HistGradientBoostingClassifier",
                "sklearn.ensemble.HistGradientBoostingRegressor",
                early_stopping=False,
            ),
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
            _build("sklearn.ensemble.RandomForestClassifier", "sklearn.ensemble.RandomForestRegressor"),
            {
                "n_estimators": Range(50, 200),
                "max_depth": Range(4, 24),
                "min_samples_leaf": Range(1, 20, log=True),
                "max_features": Range(0.1, 1.0),
            },
            {"n_estimators": 100, "max_depth": 16, "min_samples_leaf": 2, "max_features": 0.5},
        ),
        Algorithm(
            "KNeighbors",
            _BOTH,
            "linear",
            _plain("sklearn.neighbors.KNeighborsClassifier", "sklearn.neighbors.KNeighborsRegressor"),
            {"n_neighbors": Range(3, 60, log=True), "weights": Range(choices=("uniform", "distance"))},
            {"n_neighbors": 15, "weights": "distance"},
        ),
        Algorithm(
            "NaiveBayes",
            frozenset({"Classification"}),
            "forest",
            _plain("sklearn.naive_bayes.GaussianNB"),
            {"var_smoothing": Range(1e-10, 1e-1, log=True)},
            {"var_smoothing": 1e-9},
        ),
        Algorithm(
            "SVM",
            _BOTH,
            "linear",
            _vectors,
            {"C": Range(1e-2, 1e2, log=True), "gamma": Range(choices=("scale", "auto"))},
            {"C": 1.0, "gamma": "scale"},
        ),
    )
}

DEFAULTS: Mapping[Task, tuple[str, ...]] = {
    "Classification": ("LogisticRegression", "HistGradientBoosting"),
    "Regression": ("LinearRegression", "HistGradientBoosting"),
}
