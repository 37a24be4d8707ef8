"""Trials per minute of one worker and of two, and what a trial costs over plain Optuna in one process.

Trials wait for a second (of training somewhere else, so that the cores of this machine do not matter): what
is measured is how workers share a study. Two workers should do 1.8 times as much as one; a trial should cost
at most 100 ms more than in plain Optuna.

Run: `python benchmarks/training_workers.py --trials 40`; with `--storage URL` for a study in PostgreSQL.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import optuna

from assay_training.evaluation.metrics import METRICS, Predicted
from assay_training.fitting.algorithms import Algorithm, Range
from assay_training.fitting.candidates import Candidate
from assay_training.fitting.cross_validation import Report, Score
from assay_training.search.study import Search
from assay_training.spec import Tuning

BOWL = Algorithm("Bowl", frozenset(), "linear", lambda *_: None, {"x": Range(-5.0, 5.0)}, {"x": 4.0})


def search(where: Path | str, study: str, trials: int, seconds: float) -> Search:
    """A study of a bowl whose trials wait."""

    def judge(candidate: Candidate, report: Report) -> Score:
        time.sleep(seconds)
        value = (candidate.params["x"] - 1) ** 2
        report(0, value)
        return Score((value,), Predicted(None, None, np.zeros(1)))

    return Search((BOWL,), Tuning(trials=trials), METRICS["rmse"], judge, (where, study))


def work(where: str, study: str, trials: str, seconds: str, begin: str) -> None:
    """One worker; it says when it is ready, and begins when the file `begin` is there."""
    place = where if "://" in where else Path(where)
    worker = search(place, study, int(trials), float(seconds))
    print("ready", flush=True)
    while not Path(begin).exists():
        time.sleep(0.005)
    worker.work(until_all_finished=True)


def shared(where: str, study: str, budget: tuple[int, float], workers: int) -> float:
    """Seconds until so many workers have done all trials; their start is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        begin = Path(folder, "begin")
        command = [sys.executable, __file__, "work", where, study, str(budget[0]), str(budget[1]), str(begin)]
        started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(workers)]
        for one in started:
            assert one.stdout is not None
            one.stdout.readline()
        clock = time.perf_counter()
        begin.touch()
        for one in started:
            assert one.wait() == 0
        return time.perf_counter() - clock


def plain(trials: int) -> float:
    """CPU seconds of plain Optuna, in memory, for the same trials without their wait."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
    clock = time.process_time()
    study.optimize(lambda trial: (trial.suggest_float("x", -5, 5) - 1) ** 2, n_trials=trials)
    return time.process_time() - clock


def ours(where: Path | str, trials: int) -> float:
    """The same of a study that any of its workers may leave at any time."""
    worker = search(where, f"overhead-{time.time_ns()}", trials, 0.0)
    clock = time.process_time()
    worker.work(until_all_finished=True)
    return time.process_time() - clock


def main(arguments: Sequence[str]) -> None:
    """Print three lines."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--storage", default="")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        where, budget = options.storage or folder, (options.trials, 1.0)
        one, two = (shared(where, f"{n}-{time.time_ns()}", budget, n) for n in (1, 2))
        per = 1000 / options.trials
        bare, full = plain(options.trials) * per, ours(options.storage or Path(folder), options.trials) * per
    print(f"1 worker   {60 * options.trials / one:6.1f} trials/min")
    print(f"2 workers  {60 * options.trials / two:6.1f} trials/min, {one / two:.2f}x one worker (bar 1.8)")
    print(f"a trial    {full:6.1f} ms of CPU, plain Optuna {bare:.1f}: {full - bare:.1f} more (bar 100)")


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(*sys.argv[2:])
    else:
        main(sys.argv[1:])
