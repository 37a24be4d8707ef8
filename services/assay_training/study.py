"""The search: Optuna proposes candidates, cross-validation scores them, the best one wins.

One process asks and tells in turn, so that equal specs and seeds choose the same candidate.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray

from assay_training.algorithms import ALGORITHMS, Range
from assay_training.errors import JobError
from assay_training.fitting import Candidate, Examples, Recipe, ask, fitted
from assay_training.metrics import Context, Metric, Predicted, measured
from assay_training.spec import Tuning
from assay_training.target import Target

log = logging.getLogger(__name__)


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


class Best(NamedTuple):
    """The end of a study."""

    candidate: Candidate
    score: Score
    trials: int
    failed: int


def cross_validated(candidate: Candidate, recipe: Recipe, folds: Folds, metric: Metric) -> Score:
    """Fit on all folds but one, judge on that one, for each fold."""
    scores, answers = [], []
    for fold in np.unique(folds.fold):
        held = folds.fold == fold
        model = fitted(candidate, recipe, folds.examples.at(~held))
        judged = folds.examples.at(held)
        answers.append(ask(model, judged.frame, judged.target))
        scores.append(_finite(metric, metric.measure(Context(judged.target, answers[-1]))))
    order = np.argsort(folds.fold, kind="stable").argsort()
    return Score(tuple(scores), _joined(answers).at(order))


def _finite(metric: Metric, value: float) -> float:
    if not np.isfinite(value):
        raise ValueError(f"{metric.name} is {value}")
    return value


def averages(score: Score, folds: Folds, answered: Target) -> dict[str, float]:
    """All metrics out of fold, labels by the threshold of `answered`: the mean over the folds."""
    said = score.predicted
    if said.probabilities is not None:
        said = said._replace(labels=answered.decided(said.probabilities))
    sides = [folds.fold == fold for fold in np.unique(folds.fold)]
    rows = [measured(Context(folds.examples.target.at(side), said.at(side))) for side in sides]
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def _joined(parts: Sequence[Predicted]) -> Predicted:
    columns = zip(*parts, strict=True)
    return Predicted(*(None if column[0] is None else np.concatenate(column) for column in columns))


class Search:
    """One study in this process.

    Args:
        algorithms: Names; more than one are searched across.
        tuning: Sampler, number of trials, budgets, seed.
        metric: Compares candidates.
        judge: From a candidate to its score.
    """

    def __init__(
        self, algorithms: Sequence[str], tuning: Tuning, metric: Metric, judge: Callable[[Candidate], Score]
    ) -> None:
        """Make an empty study, whose first trials are the algorithms' known starts."""
        self._algorithms, self._tuning, self._metric, self._judge = algorithms, tuning, metric, judge
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        direction = "maximize" if metric.higher else "minimize"
        self._study = optuna.create_study(direction=direction, sampler=_sampler(tuning))
        for name in algorithms:
            self._study.enqueue_trial(_start(name, algorithms))
        self._best: tuple[Candidate, Score] | None = None
        self._failed = 0

    def run(self) -> Best:
        """Run all trials.

        Raises:
            JobError: More trials failed than the budget allows, or none finished in time.
        """
        limit = self._tuning.timeout.total_seconds() if self._tuning.timeout else np.inf
        started, number = time.monotonic(), 0
        while number < self._tuning.trials and time.monotonic() - started < limit:
            number += 1
            self._trial(number)
        if self._best is None:
            raise JobError("TrialsFailed", f"no trial of {number} finished: raise tuning.timeout")
        return Best(*self._best, trials=number, failed=self._failed)

    def _trial(self, number: int) -> None:
        trial = self._study.ask()
        candidate = propose(trial, self._algorithms)
        try:
            score = self._judge(candidate)
        except Exception as error:  # noqa: BLE001  (an estimator may fail in any way; the budget decides)
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            self._count_failure(number, candidate, error)
            return
        self._study.tell(trial, score.value)
        self._keep(number, candidate, score)

    def _count_failure(self, number: int, candidate: Candidate, error: Exception) -> None:
        self._failed += 1
        text = f"{type(error).__name__}: {error}"
        log.warning("trial %d of %d failed: %s", number, self._tuning.trials, text)
        if self._failed > self._tuning.max_failed_trials or number == self._failed == self._tuning.trials:
            raise JobError(
                "TrialsFailed",
                f"{self._failed} trials failed, tuning.maxFailedTrials is {self._tuning.max_failed_trials}; "
                f"the last one, {candidate.algorithm} with {dict(candidate.params)}: {text}",
            ) from error

    def _keep(self, number: int, candidate: Candidate, score: Score) -> None:
        better = self._best is None or (score.value > self._best[1].value) == self._metric.higher
        if better and (self._best is None or score.value != self._best[1].value):
            self._best = candidate, score
        assert self._best is not None
        found = f"{candidate.algorithm} {self._metric.name} {score.value:.6g}, best {self._best[1].value:.6g}"
        log.info("trial %d of %d: %s", number, self._tuning.trials, found)


def propose(trial: optuna.trial.Trial, algorithms: Sequence[str]) -> Candidate:
    """Let the sampler choose an algorithm, then its parameters."""
    name = trial.suggest_categorical("algorithm", list(algorithms)) if len(algorithms) > 1 else algorithms[0]
    space = ALGORITHMS[name].space
    return Candidate(
        name, {param: _suggest(trial, f"{name}.{param}", among) for param, among in space.items()}
    )


def _suggest(trial: optuna.trial.Trial, name: str, among: Range) -> float | int:
    if isinstance(among.low, int) and isinstance(among.high, int):
        return trial.suggest_int(name, among.low, among.high, log=among.log)
    return trial.suggest_float(name, among.low, among.high, log=among.log)


def _start(name: str, algorithms: Sequence[str]) -> dict[str, Any]:
    params = {f"{name}.{param}": value for param, value in ALGORITHMS[name].start.items()}
    return {"algorithm": name, **params} if len(algorithms) > 1 else params


def _sampler(tuning: Tuning) -> optuna.samplers.BaseSampler:
    if tuning.sampler == "Random":
        return optuna.samplers.RandomSampler(seed=tuning.seed)
    startup = max(3, min(10, tuning.trials // 3))  # short studies must get beyond their random start too
    return optuna.samplers.TPESampler(seed=tuning.seed, n_startup_trials=startup)
