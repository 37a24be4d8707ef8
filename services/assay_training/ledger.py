"""Who works on which trial: a study on disk that many processes share, any of which may be killed.

A study asks for N finished trials. Under one lock a worker counts what is finished and what live workers have
in hand, and takes another trial only if N is not reached. Each worker holds a lock on a file of its own while
it lives; the kernel lets go of it when the process dies, however it dies, so a trial whose worker's file can
be locked is lost: it counts for nothing, and its parameters are tried again. No clocks, no heartbeats.
"""

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from uuid import uuid4

import optuna
from optuna.storages.journal import JournalFileBackend, JournalStorage
from optuna.trial import FrozenTrial, TrialState

log = logging.getLogger(__name__)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
WORKER, ERROR, FOUNDED = "worker", "error", "founded"


class Lock:
    """A lock between processes that ends with its holder, at the latest; Optuna's journal uses one too."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._file = self._path.open("ab")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let others in."""
        if self._file:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        """Wait for the lock."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others in."""
        self.release()


def storage(folder: Path) -> JournalStorage:
    """The journal in `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    backend = JournalFileBackend(str(folder / "journal.log"), lock_obj=Lock(folder / "journal.lock"))  # type: ignore[arg-type]
    return JournalStorage(backend)


class Ledger:
    """The trials of one study, as one worker sees them.

    Args:
        study: On `storage(folder)`.
        folder: Shared by all workers.
        wanted: How many trials are to finish.
    """

    def __init__(self, study: optuna.Study, folder: Path, wanted: int) -> None:
        """Come to work."""
        self._study, self._folder, self._wanted = study, folder, wanted
        self._lock = Lock(folder / "claims.lock")
        self._me = uuid4().hex
        self._alive = Lock(folder / f"worker-{self._me}")

    @contextmanager
    def at_work(self) -> Iterator[Self]:
        """Be alive for the length of the block."""
        self._alive.acquire()
        try:
            yield self
        finally:
            self._alive.release()
            (self._folder / f"worker-{self._me}").unlink(missing_ok=True)

    def found(self, points: Iterable[dict[str, Any]]) -> None:
        """Queue the first trials, once."""
        with self._lock:
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
            with self._lock:
                self._bury()
                trials = self._trials()
                running = [trial for trial in trials if trial.state == TrialState.RUNNING]
                finished = sum(trial.state in FINISHED for trial in trials)
                if finished + len(running) < self._wanted:
                    return self._begin(prepare, len(trials))
                if not wait or finished >= self._wanted:
                    return None
            self._wait_for(running[0])

    def tell(self, trial: optuna.Trial, value: float) -> None:
        """End a trial well."""
        with self._lock:
            self._study.tell(trial, value)

    def prune(self, trial: optuna.Trial) -> None:
        """End a trial early."""
        with self._lock:
            self._study.tell(trial, state=TrialState.PRUNED)

    def fail(self, trial: optuna.Trial, text: str) -> None:
        """End a trial badly."""
        with self._lock:
            trial.set_user_attr(ERROR, text)
            self._study.tell(trial, state=TrialState.FAIL)

    @property
    def pruned(self) -> int:
        """How many trials ended early."""
        return sum(trial.state == TrialState.PRUNED for trial in self._trials())

    @property
    def failed(self) -> int:
        """How many trials failed; those that were lost with their worker did not."""
        return sum(ERROR in trial.user_attrs for trial in self._trials())

    def _begin(self, prepare: Callable[[int], None], number: int) -> optuna.Trial:
        prepare(number)
        trial = self._study.ask()
        trial.set_user_attr(WORKER, self._me)
        return trial

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _bury(self) -> None:
        """Mark the trials of dead workers as lost, and queue their parameters once more."""
        for trial in self._trials():
            owner = trial.user_attrs.get(WORKER, "")
            if trial.state == TrialState.RUNNING and owner != self._me and not self._lives(owner):
                log.warning("trial %d was lost with its worker, and will be tried again", trial.number + 1)
                self._study.tell(trial.number, state=TrialState.FAIL)
                self._study.enqueue_trial(trial.params)

    def _lives(self, owner: str) -> bool:
        path = self._folder / f"worker-{owner}"
        if not owner or not path.exists():
            return False
        with path.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def _wait_for(self, trial: FrozenTrial) -> None:
        """Until its worker leaves or dies."""
        path = self._folder / f"worker-{trial.user_attrs.get(WORKER, '')}"
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            finally:
                os.close(descriptor)
