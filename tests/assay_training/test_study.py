"""The search: exactly as many trials as asked for, whoever is killed; the same choice for the same seed."""

import importlib.util
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import optuna
import pytest
from optuna.trial import TrialState

from assay_training.errors import JobError
from assay_training.ledger import storage
from assay_training.spec import Tuning

PROGRAM = Path(__file__).with_name("search_worker.py")
Search = Callable[..., object]


@pytest.fixture(scope="session")
def bowl() -> ModuleType:
    spec = importlib.util.spec_from_file_location("search_worker", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(folder: Path, trials: int, seconds: float, role: str = "helps") -> subprocess.Popen:
    command = [sys.executable, str(PROGRAM), str(folder), str(trials), str(seconds), role]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name="bowl", storage=storage(folder)).get_trials()


def finished(folder: Path) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in trials(folder) if trial.state == TrialState.COMPLETE]


def wait_for(folder: Path, count: int, workers: list[subprocess.Popen]) -> None:
    """Until so many trials are finished, watching the journal grow."""
    journal = folder / "journal.log"
    seen = -1
    while any(worker.poll() is None for worker in workers):
        size = journal.stat().st_size if journal.exists() else 0
        if size != seen and size and len(finished(folder)) >= count:
            return
        seen = size
    raise AssertionError("the workers ended first")


def test_the_same_seed_chooses_the_same_candidate(bowl: ModuleType, tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        search = bowl.search(tmp_path / name, Tuning(trials=15, seed=3))
        search.work(until_all_finished=True)
        found.append(search.best())
    assert found[0].candidate == found[1].candidate
    assert found[0].score.value < 1


def test_a_study_goes_on_as_if_it_had_not_been_interrupted(bowl: ModuleType, tmp_path: Path) -> None:
    for trials_first in (5, 15):
        bowl.search(tmp_path / "halted", Tuning(trials=trials_first, seed=3, pruner="None")).work(
            until_all_finished=True
        )
    bowl.search(tmp_path / "whole", Tuning(trials=15, seed=3, pruner="None")).work(until_all_finished=True)
    halted, whole = ([trial.params for trial in trials(tmp_path / name)] for name in ("halted", "whole"))
    assert halted[:3] == whole[:3]
    assert len(halted) == len(whole) == 15


def test_failures_within_the_budget_are_made_up_for(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=6, max_failed_trials=2), fails=(1, 3))
    search.work(until_all_finished=True)
    best = search.best()
    assert (best.finished, best.failed) == (6, 2)


def test_one_failure_too_many_fails_the_study_with_its_words(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=6, max_failed_trials=2), fails=(0, 1, 2))
    with pytest.raises(JobError, match=r"3 trials failed.*the bowl broke") as refusal:
        search.work(until_all_finished=True)
    assert refusal.value.reason == "TrialsFailed"


def test_patience_ends_a_study_that_gets_no_better(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=500, patience=5, sampler="Random"))
    search.work(until_all_finished=True)
    assert search.best().finished < 100


def test_the_timeout_ends_a_study_with_what_it_has(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=5000, timeout="500ms"), seconds=0.05)
    search.work(until_all_finished=True)
    assert 1 <= search.best().finished < 12


def test_a_grid_is_walked_once(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=50, sampler="Grid"))
    search.work(until_all_finished=True)
    assert sorted(trial.params["Bowl.x"] for trial in trials(tmp_path)) == [-5, 0, 5]


def test_workers_that_are_killed_leave_exactly_the_trials_that_were_asked_for(tmp_path: Path) -> None:
    leader, helper = start(tmp_path, 24, 0.05, "leads"), start(tmp_path, 24, 0.05)
    wait_for(tmp_path, 4, [leader, helper])
    os.kill(helper.pid, signal.SIGKILL)
    helper.wait()
    wait_for(tmp_path, 10, [leader])
    os.kill(leader.pid, signal.SIGKILL)
    leader.wait()
    again = start(tmp_path, 24, 0.05, "leads")
    assert again.wait(120) == 0
    assert Counter(trial.state for trial in trials(tmp_path))[TrialState.RUNNING] == 0
    assert len(finished(tmp_path)) == 24
    assert len({trial.params["Bowl.x"] for trial in finished(tmp_path)}) == 24


def test_fewer_trials_keep_what_is_finished(bowl: ModuleType, tmp_path: Path) -> None:
    bowl.search(tmp_path, Tuning(trials=8)).work(until_all_finished=True)
    fewer = bowl.search(tmp_path, Tuning(trials=4))
    fewer.work(until_all_finished=True)
    assert fewer.best().finished == 8


def test_two_workers_share_the_trials(tmp_path: Path) -> None:
    workers = [start(tmp_path, 20, 0.1, role) for role in ("leads-together", "helps-together")]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    owners = Counter(trial.user_attrs["worker"] for trial in finished(tmp_path))
    assert sum(owners.values()) == 20
    assert min(owners.values()) >= 5
