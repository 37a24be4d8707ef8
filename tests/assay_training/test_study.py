"""The search: exactly as many trials as asked for, whoever is killed; the same choice for the same seed."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import optuna
import pytest
from optuna.trial import TrialState

from assay_training.errors import JobError
from assay_training.search import study
from assay_training.search.space import Algorithms, propose
from assay_training.search.storage import KEPT, opened, tidied
from assay_training.spec import Tuning

PROGRAM = Path(__file__).with_name("search_worker.py")
Search = Callable[..., object]


@pytest.fixture(scope="session")
def bowl() -> ModuleType:
    spec = importlib.util.spec_from_file_location("search_worker", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(folder: Path | str, trials: int, seconds: float, role: str = "helps") -> subprocess.Popen[bytes]:
    command = [sys.executable, str(PROGRAM), str(folder), str(trials), str(seconds), role]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def looked(place: Path | str) -> Iterator[optuna.storages.BaseStorage]:
    """The storage of a study, whose connections are closed again."""
    storage = opened(place, "bowl").storage
    yield storage
    if isinstance(storage, optuna.storages.RDBStorage):
        storage.remove_session()
        storage.engine.dispose()


def trials(place: Path | str) -> list[optuna.trial.FrozenTrial]:
    with looked(place) as storage:
        return optuna.load_study(study_name="bowl", storage=storage).get_trials()


def finished(folder: Path | str) -> list[optuna.trial.FrozenTrial]:
    return [trial for trial in trials(folder) if trial.state == TrialState.COMPLETE]


def wait_for(place: Path | str, count: int, workers: list[subprocess.Popen[bytes]]) -> None:
    """Until so many trials are finished."""
    with looked(place) as storage:
        while any(worker.poll() is None for worker in workers):
            with contextlib.suppress(KeyError):  # not founded yet
                known = optuna.load_study(study_name="bowl", storage=storage).get_trials(deepcopy=False)
                if sum(one.state == TrialState.COMPLETE for one in known) >= count:
                    return
            time.sleep(0.02)
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
    search = bowl.search(tmp_path, Tuning(trials=5000, timeout="1s"), seconds=0.1)
    search.work(until_all_finished=True)
    assert 1 <= search.best().finished < 12


def test_a_grid_is_walked_once(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=50, sampler="Grid"))
    search.work(until_all_finished=True)
    assert sorted(trial.params["Bowl.x"] for trial in trials(tmp_path)) == [-5, 0, 5]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["a folder", "PostgreSQL"])
def test_workers_that_are_killed_leave_exactly_the_trials_that_were_asked_for(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    place = tmp_path if where == "a folder" else request.getfixturevalue("postgres")
    leader, helper = start(place, 40, 0.05, "leads"), start(place, 40, 0.05)
    wait_for(place, 8, [leader, helper])
    os.kill(helper.pid, signal.SIGKILL)
    helper.wait()
    another = start(place, 40, 0.05)
    wait_for(place, 18, [leader, another])
    os.kill(leader.pid, signal.SIGKILL)
    leader.wait()
    again = start(place, 40, 0.05, "leads")
    assert (again.wait(240), another.wait(60)) == (0, 0)
    assert Counter(trial.state for trial in trials(place))[TrialState.RUNNING] == 0
    assert len(finished(place)) == 40
    assert len({trial.params["Bowl.x"] for trial in finished(place)}) == 40
    assert min(trial.value for trial in finished(place) if trial.value is not None) < 0.5


@pytest.mark.parametrize("dies_at", range(4))
def test_a_worker_that_dies_before_it_has_chosen_leaves_no_trial_to_be_done_twice(
    bowl: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int
) -> None:
    dying = bowl.search(tmp_path, Tuning(trials=12, sampler="Random"))
    turns = iter(range(100))

    def die(trial: optuna.Trial, algorithms: Algorithms) -> object:
        if next(turns) == dies_at:
            raise KeyboardInterrupt  # as kill -9 does, it leaves a claimed trial, and frees the worker's lock
        return propose(trial, algorithms)

    with monkeypatch.context() as patched:
        patched.setattr(study, "propose", die)
        with pytest.raises(KeyboardInterrupt):
            dying.work(until_all_finished=True)
    bowl.search(tmp_path, Tuning(trials=12, sampler="Random")).work(until_all_finished=True)
    found = [trial.params["Bowl.x"] for trial in finished(tmp_path)]
    assert len(found) == len(set(found)) == 12
    assert 4.0 in found  # the known start is not forgotten with who had it in hand


def test_a_half_written_line_of_a_dead_worker_does_not_end_the_study(
    bowl: ModuleType, tmp_path: Path
) -> None:
    bowl.search(tmp_path, Tuning(trials=4)).work(until_all_finished=True)
    with (tmp_path / "bowl" / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":6,"worker_id":"gone","trial')
    bowl.search(tmp_path, Tuning(trials=8)).work(until_all_finished=True)
    assert len(finished(tmp_path)) == 8


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


def test_cma_es_finds_the_bottom(bowl: ModuleType, tmp_path: Path) -> None:
    search = bowl.search(tmp_path, Tuning(trials=25, sampler="CMAES", pruner="None"))
    search.work(until_all_finished=True)
    assert search.best().score.value < 1


def test_old_studies_are_forgotten_but_the_last_few_stay(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        opened(tmp_path, f"study-{number}").storage.create_new_study([optuna.study.StudyDirection.MINIMIZE])
        os.utime(tmp_path / f"study-{number}" / "journal.log", (number, number))
    tidied(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"study-{n}" for n in range(3, KEPT + 3)]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///trials.db", "InvalidSpec"),
        ("no url", "StudyUnreachable"),
        ("postgresql+psycopg://u:hidden@127.0.0.1:1/d", "StudyUnreachable"),
    ],
)
def test_a_database_that_cannot_keep_a_study_is_refused(url: str, reason: str) -> None:
    with pytest.raises(JobError) as refusal:
        opened(url, "bowl")
    assert refusal.value.reason == reason
    assert "hidden" not in refusal.value.message
