"""Who works on which trial: a study that many processes share, any of which may be killed.

A study asks for N finished trials. Under one lock a worker counts what is finished and what live workers have
in hand, and takes another trial only if N is not reached. Each worker holds a lock of its own while it lives,
which ends with it, however it dies: so a trial whose worker's lock is free is lost. It counts for nothing,
and its parameters are tried again. No clocks, no heartbeats.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self
from uuid import uuid4

import optuna
from optuna.trial import FrozenTrial, TrialState

from assay_training.search.locks import Locks

log = logging.getLogger(__name__)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
WORKER, ERROR, FOUNDED = "worker", "error", "founded"
FIXED = "fixed_params"  # Optuna's own name for what a queued trial was told to take


class Ledger:
    """The trials of one study, as one worker sees them.

    Args:
        study: On a storage that all workers share.
        locks: Of the same workers.
        wanted: How many trials are to finish.
    """

    def __init__(self, study: optuna.Study, locks: Locks, wanted: int) -> None:
        """Come to work."""
        self._study, self._locks, self._wanted = study, locks, wanted
        self._me = uuid4().hex

    @contextmanager
    def at_work(self) -> Iterator[Self]:
        """Be alive for the length of the block."""
        with self._locks.alive(self._me):
            yield self

    def found(self, points: Iterable[dict[str, Any]]) -> None:
        """Queue the first trials, once."""
        with self._locks.turn():
            if FOUNDED not in self._study.user_attrs:
                for point in points:
                    self._study.enqueue_trial(point)
                self._study.set_user_attr(FOUNDED, time.time())

    @property
    def age(self) -> float:
        """Seconds since the study was founded, also by a worker that is long gone."""
        return time.time() - float(self._study.user_attrs[FOUNDED])

    def claim(self, prepare: Callable[[int], None], *, wait: bool) -> optuna.Trial | None:
        """The next trial; None if none is left to begin.

        Args:
            prepare: Called with the number of the trial before it is asked for.
            wait: Whether to wait for the trials of other workers, which may be lost with them.
        """
        while True:
            with self._locks.turn():
                self._bury()
                trials = self._trials()
                running = [trial for trial in trials if trial.state == TrialState.RUNNING]
                finished = sum(trial.state in FINISHED for trial in trials)
                if finished + len(running) < self._wanted:
                    return self._begin(prepare, trials)
                if not wait or finished >= self._wanted:
                    return None
            self._locks.wait_for(running[0].user_attrs.get(WORKER, ""))

    def tell(self, trial: optuna.Trial, value: float) -> None:
        """End a trial well."""
        with self._locks.turn():
            self._study.tell(trial, value)

    def prune(self, trial: optuna.Trial) -> None:
        """End a trial early."""
        with self._locks.turn():
            self._study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: optuna.Trial, text: str) -> None:
        """End a trial badly."""
        with self._locks.turn():
            trial.set_user_attr(ERROR, text)
            self._study.tell(trial, state=TrialState.FAIL)

    @property
    def finished(self) -> int:
        """How many trials are done, pruned ones among them."""
        return sum(trial.state in FINISHED for trial in self._trials())

    @property
    def pruned(self) -> int:
        """How many trials ended early."""
        return sum(trial.state == TrialState.PRUNED for trial in self._trials())

    @property
    def failed(self) -> int:
        """How many trials failed; those that were lost with their worker did not."""
        return sum(ERROR in trial.user_attrs for trial in self._trials())

    def _begin(self, prepare: Callable[[int], None], trials: Sequence[FrozenTrial]) -> optuna.Trial:
        queued = (trial.number for trial in trials if trial.state == TrialState.WAITING)
        prepare(next(queued, len(trials)))  # the first in the queue is asked for, else a new one
        trial = self._study.ask()
        trial.set_user_attr(WORKER, self._me)
        return trial

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _bury(self) -> None:
        """Mark the trials of dead workers as lost, and queue their parameters once more.

        In this order: who dies in between leaves a trial to the sampler, not the same one twice.
        """
        for trial in self._trials():
            owner = trial.user_attrs.get(WORKER, "")
            if (
                trial.state == TrialState.RUNNING
                and owner != self._me
                and not (owner and self._locks.lives(owner))
            ):
                log.warning("trial %d was lost with its worker, and will be tried again", trial.number + 1)
                self._study.tell(trial.number, state=TrialState.FAIL)
                self._study.enqueue_trial({**trial.system_attrs.get(FIXED, {}), **trial.params})
