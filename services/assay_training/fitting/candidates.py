"""Fitting candidates and asking them: the one place where estimators meet rows."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from assay_training.data.columns import Inputs
from assay_training.data.target import Target
from assay_training.evaluation.metrics import Predicted
from assay_training.fitting.algorithms import Algorithm
from assay_training.fitting.pipeline import pipeline
from assay_training.spec import Task


class Candidate(NamedTuple):
    """One point of the search: an algorithm and its parameters."""

    algorithm: str
    params: Mapping[str, Any]


class Examples(NamedTuple):
    """Rows to learn from or to be judged on."""

    frame: pandas.DataFrame
    target: Target

    def at(self, rows: Any) -> "Examples":
        """Return some rows: a mask or positions."""
        positions = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Examples(taken(self.frame, positions), self.target.at(positions))


class Recipe(NamedTuple):
    """What all candidates of a study share."""

    task: Task
    inputs: Inputs
    algorithms: Mapping[str, Algorithm]
    seed: int


def taken(frame: pandas.DataFrame, positions: NDArray[np.int64]) -> pandas.DataFrame:
    """Some rows; of numbers only, which are one block, in a third of pandas' time."""
    if (frame.dtypes == np.float64).all():
        return pandas.DataFrame(frame.to_numpy()[positions], columns=frame.columns, copy=False)
    return frame.iloc[positions]


def fitted(candidate: Candidate, recipe: Recipe, examples: Examples) -> Any:
    """A pipeline fitted to `examples`."""
    algorithm = recipe.algorithms[candidate.algorithm]
    estimator = algorithm.build(recipe.task, candidate.params, recipe.seed)
    model = pipeline(estimator, algorithm.style, recipe.inputs, recipe.seed)
    with _patient():
        return model.fit(examples.frame, examples.target.taught(positions=algorithm.positions))


def ask(model: Any, frame: pandas.DataFrame, target: Target) -> Predicted:
    """The answers of a fitted pipeline, its classes in the order of the target's."""
    if target.bins is not None:
        shares = np.asarray(model.predict_proba(frame), dtype=np.float64)
        return Predicted(None, None, target.bins.back(shares, model.classes_))
    if target.classes is None:
        return Predicted(None, None, np.asarray(model.predict(frame), dtype=np.float64))
    probabilities = np.asarray(model.predict_proba(frame), dtype=np.float64)
    return Predicted(target.decided(probabilities), probabilities, None)


@contextmanager
def _patient() -> Iterator[None]:
    """A candidate that has not converged is judged by its score, as any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
