"""A worker of a study whose trials only wait: run as a program, so that it can be killed."""

import sys
import time
from pathlib import Path

import numpy as np

from assay_training.evaluation.metrics import METRICS, Predicted
from assay_training.fitting.algorithms import Algorithm, Range
from assay_training.fitting.candidates import Candidate
from assay_training.fitting.cross_validation import Report, Score
from assay_training.search.study import Search
from assay_training.spec import Tuning

ALGORITHM = Algorithm("Bowl", frozenset(), "linear", lambda *_: None, {"x": Range(-5.0, 5.0)}, {"x": 4.0})


def score(value: float) -> Score:
    return Score((value,), Predicted(None, None, np.zeros(1)))


def search(folder: Path | str, tuning: Tuning, seconds: float = 0.0, fails: tuple[int, ...] = ()) -> Search:
    """Minimise a bowl; each trial waits, and the trials whose turn is in `fails` fail."""
    turns = iter(range(10_000))

    def judge(candidate: Candidate, report: Report) -> Score:
        time.sleep(seconds)
        if next(turns) in fails:
            raise ValueError("the bowl broke")
        value = (candidate.params["x"] - 1) ** 2
        report(0, value)
        return score(value)

    return Search((ALGORITHM,), tuning, METRICS["rmse"], judge, (folder, "bowl"))


if __name__ == "__main__":
    folder, trials, seconds, role = sys.argv[1:]
    where = folder if "://" in folder else Path(folder)
    worker = search(where, Tuning(trials=int(trials), pruner="None"), float(seconds))
    if role.endswith("together"):
        Path(folder, f"{role}.ready").touch()
        while len(list(Path(folder).glob("*.ready"))) < 2:
            time.sleep(0.01)
    worker.work(until_all_finished=role.startswith("leads"))
