"""The search: Optuna proposes candidates, cross-validation scores them, the best one wins.

The study lives in a folder that workers share. Each proposal depends on the seed, its number and the trials
before it only, so that one worker chooses the same candidate again, and goes on after any kill as if nothing
had happened.
"""

import logging
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

import optuna
from optuna.trial import TrialState

from assay_api.duration import seconds
from assay_training.errors import JobError
from assay_training.evaluation.metrics import Metric
from assay_training.fitting.candidates import Candidate
from assay_training.fitting.cross_validation import Report, Score, silent
from assay_training.runtime.progress import Tell, untold
from assay_training.search.space import Algorithms, grid, propose, starts
from assay_training.search.storage import StudyStorage, Where, opened, reachable
from assay_training.search.trials import FINISHED, Ledger
from assay_training.spec import Tuning

log = logging.getLogger(__name__)

Judge = Callable[[Candidate, Report], Score]


class Best(NamedTuple):
    """The end of a study; pruned trials finished too, failed ones did not."""

    candidate: Candidate
    score: Score
    finished: int
    pruned: int
    failed: int


class Search:
    """One worker of a study.

    Args:
        algorithms: More than one are searched across.
        tuning: Sampler, number of trials, budgets, seed.
        metric: Compares candidates.
        judge: From a candidate to its score; it reports each fold.
        place: Where studies are kept, and the name of this one, which tells different searches apart.
        tell: Is told how far the study is.
    """

    def __init__(  # noqa: PLR0917
        self,
        algorithms: Algorithms,
        tuning: Tuning,
        metric: Metric,
        judge: Judge,
        place: tuple[Where, str],
        tell: Tell = untold,
    ) -> None:
        """Join the study, or found it: its first trials are the algorithms' known starts."""
        self._algorithms, self._tuning, self._metric, self._judge = algorithms, tuning, metric, judge
        self._where, name = place
        self._tell = tell
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        queue = grid(algorithms) if tuning.sampler == "Grid" else starts(algorithms)
        self._wanted = min(tuning.trials, len(queue)) if tuning.sampler == "Grid" else tuning.trials
        kept = opened(self._where, name)
        with reachable(self._where):
            self._study = self._joined(kept, name)
            self._ledger = Ledger(self._study, kept.locks, self._wanted)
            self._ledger.found(queue[: self._wanted])
        self._mine: tuple[int, Score] | None = None

    def work(self, *, until_all_finished: bool) -> None:
        """Run trials until none is left; with `until_all_finished`, also wait for those of other workers.

        Raises:
            JobError: More trials failed than the budget allows.
        """
        with reachable(self._where), self._ledger.at_work():
            while not self._over():
                self._report_progress()
                trial = self._ledger.claim(self._prepare, wait=until_all_finished)
                if trial is None:
                    return
                self._run(trial)

    def best(self) -> Best:
        """The best candidate of all workers, with its answers out of fold.

        Raises:
            JobError: No trial finished.
        """
        complete = [
            trial for trial in self._study.get_trials(deepcopy=False) if trial.state == TrialState.COMPLETE
        ]
        if not complete:
            raise JobError("TrialsFailed", "no trial finished: raise tuning.timeout or tuning.trials")
        chosen = self._study.best_trial
        candidate = propose(optuna.trial.FixedTrial(chosen.params), self._algorithms)  # type: ignore[arg-type]
        if self._mine is None or self._mine[0] != chosen.number:
            self._mine = chosen.number, self._judge(candidate, silent)
        pruned = self._ledger.pruned
        return Best(candidate, self._mine[1], len(complete) + pruned, pruned, self._ledger.failed)

    @property
    def trials(self) -> list[tuple[float, float]]:
        """Number and value of the trials that were judged on all folds, in the order in which they began."""
        found = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [(trial.number + 1.0, float(trial.value or 0.0)) for trial in found]

    def _report_progress(self) -> None:
        """Tell how far the study is."""
        done = any(trial.state == TrialState.COMPLETE for trial in self._study.get_trials(deepcopy=False))
        self._tell(
            {
                "stage": "Tuning",
                "wanted": self._wanted,
                "finished": self._ledger.finished,
                "pruned": self._ledger.pruned,
                "failed": self._ledger.failed,
                "best": self._study.best_value if done else None,
                "metric": self._metric.name,
            }
        )

    def _joined(self, kept: StudyStorage, name: str) -> optuna.Study:
        pruner = (
            optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1)
            if self._tuning.pruner == "Median"
            else None
        )
        return optuna.create_study(
            storage=kept.storage,
            study_name=name,
            direction="maximize" if self._metric.higher else "minimize",
            pruner=pruner or optuna.pruners.NopPruner(),
            load_if_exists=True,
        )

    def _prepare(self, number: int) -> None:
        """Make the next proposal one of its number and the past alone."""
        self._study.sampler = _sampler(self._tuning, number)

    def _over(self) -> bool:
        """Out of time, or no better candidate for long."""
        limit = self._tuning.timeout
        if limit and self._ledger.age > seconds(limit):
            log.info("tuning.timeout is over")
            return True
        return self._tuning.patience is not None and self._stale() >= self._tuning.patience

    def _stale(self) -> int:
        """Finished trials since the best one."""
        ended = [trial for trial in self._study.get_trials(deepcopy=False) if trial.state in FINISHED]
        if not any(trial.state == TrialState.COMPLETE for trial in ended):
            return 0
        return sum(trial.number > self._study.best_trial.number for trial in ended)

    def _run(self, trial: optuna.Trial) -> None:
        candidate = propose(trial, self._algorithms)

        def report(fold: int, value: float) -> None:
            if self._tuning.pruner != "None":
                trial.report(value, fold)
                if trial.should_prune():
                    raise optuna.TrialPruned

        try:
            score = self._judge(candidate, report)
        except optuna.TrialPruned:
            self._ledger.prune(trial)
            self._log(trial, f"{candidate.algorithm} stopped early")
        except Exception as error:  # noqa: BLE001  (an estimator may fail in any way; the budget decides)
            self._failed(trial, candidate, error)
        else:
            self._ledger.tell(trial, score.value)
            if self._study.best_trial.number == trial.number:
                self._mine = trial.number, score
            best = self._study.best_value
            self._log(trial, f"{candidate.algorithm} {self._metric.name} {score.value:.6g}, best {best:.6g}")

    def _log(self, trial: optuna.Trial, text: str) -> None:
        log.info("trial %d of %d: %s", trial.number + 1, self._wanted, text)

    def _failed(self, trial: optuna.Trial, candidate: Candidate, error: Exception) -> None:
        text = f"{candidate.algorithm} with {dict(candidate.params)}: {type(error).__name__}: {error}"
        log.warning("trial %d failed: %s", trial.number + 1, text)
        self._ledger.fail(trial, text[:2000])
        failed = self._ledger.failed
        if failed > self._tuning.max_failed_trials:
            raise JobError(
                "TrialsFailed",
                f"{failed} trials failed, tuning.maxFailedTrials is {self._tuning.max_failed_trials}; "
                f"the last one, {text}",
            ) from error


def _sampler(tuning: Tuning, number: int) -> optuna.samplers.BaseSampler:
    seed = int.from_bytes(blake2b(f"{tuning.seed}:{number}".encode(), digest_size=4).digest())
    if tuning.sampler == "TPE":
        startup = max(3, min(10, tuning.trials // 3))  # short studies must get beyond their random start too
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)
    if tuning.sampler == "CMAES":
        return optuna.samplers.CmaEsSampler(seed=seed, n_startup_trials=1, warn_independent_sampling=False)
    return optuna.samplers.RandomSampler(seed=seed)
