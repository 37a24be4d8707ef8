"""How a candidate does on rows that it was not fitted on: one fit a fold."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay_training.data.target import Target
from assay_training.evaluation.metrics import Context, Metric, Predicted, measured
from assay_training.fitting.candidates import Candidate, Examples, Recipe, ask, fitted, taken


class Folds(NamedTuple):
    """The training rows with the fold of each."""

    examples: Examples
    fold: NDArray[np.int64]


class Score(NamedTuple):
    """How a candidate did: one number a fold, and its answers for rows that it was not fitted on."""

    folds: tuple[float, ...]
    predicted: Predicted

    @property
    def value(self) -> float:
        """What candidates are compared by."""
        return float(np.mean(self.folds))


Report = Callable[[int, float], None]
Mask = NDArray[np.bool_]


def silent(fold: int, value: float) -> None:
    """Nobody wants to know how the folds go."""


def cross_validated(
    candidate: Candidate, recipe: Recipe, folds: Folds, metric: Metric, report: Report = silent
) -> Score:
    """Fit on all folds but one, judge on that one, for each fold; `report` may stop it by an exception."""
    scores: list[float] = []
    answers = []
    for step, fold in enumerate(np.unique(folds.fold)):
        held = folds.fold == fold
        answers.append(_held_out(candidate, recipe, folds.examples, held))
        scores.append(_finite(metric, metric.measure(Context(folds.examples.target.at(held), answers[-1]))))
        report(step, float(np.mean(scores)))
    order = np.argsort(folds.fold, kind="stable").argsort()
    return Score(tuple(scores), _joined(answers).at(order))


def _held_out(candidate: Candidate, recipe: Recipe, examples: Examples, held: Mask) -> Predicted:
    """The answers for some rows of a model that was fitted on the others; no copy of rows outlives it."""
    model = fitted(candidate, recipe, examples.at(~held))
    return ask(model, taken(examples.frame, np.flatnonzero(held)), examples.target)


def averages(score: Score, folds: Folds, answered: Target) -> dict[str, float]:
    """All metrics out of fold, labels by the threshold of `answered`: the mean over the folds."""
    predicted = score.predicted
    if predicted.probabilities is not None:
        predicted = predicted._replace(labels=answered.decided(predicted.probabilities))
    sides = [folds.fold == fold for fold in np.unique(folds.fold)]
    rows = [measured(Context(folds.examples.target.at(side), predicted.at(side))) for side in sides]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _finite(metric: Metric, value: float) -> float:
    if not np.isfinite(value):
        raise ValueError(f"{metric.name} is {value}")
    return value


def _joined(parts: Sequence[Predicted]) -> Predicted:
    columns: Any = zip(*parts, strict=True)
    return Predicted(*(None if column[0] is None else np.concatenate(column) for column in columns))
