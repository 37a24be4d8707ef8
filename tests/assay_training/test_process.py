"""The process: job in by environment, report out by the termination message and the exit code."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from servers import free_port

from assay_process.termination import MAX_BYTES
from assay_training.__main__ import parse, run
from assay_training.errors import JobError
from assay_training.job.report import encoded
from assay_training.runtime.progress import served
from assay_training.runtime.threads import VARIABLES, follow_cpu_limit
from assay_training.spec import Job

Make = Callable[..., Job]


def start(job: str, log: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ASSAY_JOB": job,
        "ASSAY_TERMINATION_LOG": str(log),
        "OMP_NUM_THREADS": "1",
        **more,
    }
    return subprocess.run(
        [sys.executable, "-m", "assay_training"], env=environment, capture_output=True, text=True, check=False
    )


def test_the_process_trains_and_says_so(job: Make, tmp_path: Path) -> None:
    done = start(job().model_dump_json(by_alias=True), tmp_path / "log")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "log").read_bytes())
    assert report["ok"]
    assert report["bestParams"] == {"algorithm": "LogisticRegression", "C": 1.0}
    assert json.loads(done.stdout) == report


def test_a_bad_job_exits_with_its_reason(tmp_path: Path) -> None:
    done = start('{"model": "churn"}', tmp_path / "log")
    assert done.returncode == 1
    report = json.loads((tmp_path / "log").read_bytes())
    assert report["reason"] == "InvalidSpec"
    assert "training: Field required" in report["message"]


def test_a_missing_job_is_told_from_a_bad_one() -> None:
    with pytest.raises(JobError, match="Invalid JSON"):
        parse("")


def test_a_crash_is_reported_with_its_exception(job: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("assay_training.data.source.read", crash)
    report = run({"ASSAY_JOB": job().model_dump_json(by_alias=True)})
    assert report == {"ok": False, "reason": "TrainingFailed", "message": "RuntimeError: the disk is on fire"}


class Denying(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def send_head(self) -> Any:
        return self.send_error(403) if "secret" in self.path else super().send_head()


@pytest.fixture
def http(tmp_path: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Denying, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_data_comes_over_http(job: Make, http: str, tmp_path: Path) -> None:
    wanted = job(data={"uri": f"{http}/churn.csv"}).model_dump_json(by_alias=True)
    done = start(wanted, tmp_path / "log")
    assert json.loads(done.stdout)["data"]["rows"] == 600


@pytest.mark.parametrize(
    ("name", "reason"), [("gone.csv", "DataNotFound"), ("secret.csv", "DataAccessDenied")]
)
def test_http_refusals_have_reasons(job: Make, http: str, tmp_path: Path, name: str, reason: str) -> None:
    wanted = job(data={"uri": f"{http}/{name}"}).model_dump_json(by_alias=True)
    done = start(wanted, tmp_path / "log")
    report = json.loads(done.stdout)
    assert report["reason"] == reason
    assert name in report["message"]


def test_a_report_with_fifty_gates_fits_and_keeps_what_failed() -> None:
    gate = {"metric": "balancedAccuracy", "rule": "min 0.8", "value": 0.83, "message": "x" * 90}
    gates = [{**gate, "passed": number != 40} for number in range(50)]
    metrics = {
        name: {f"metric{number}": number / 7 for number in range(20)} for name in ("test", "crossValidation")
    }
    report = {"ok": True, "passed": False, "environment": {"seed": 1, "packages": {"a" * 50: "1" * 50}},
              "artifact": {"uri": "s3://" + "a" * 200}, "metrics": metrics, "gates": gates}  # fmt: skip
    content = encoded(report)
    assert len(content) <= MAX_BYTES
    kept = json.loads(content)
    assert kept["artifact"] == report["artifact"]
    assert [gate["passed"] for gate in kept["gates"]].count(False) == 1


def test_a_long_failure_fits() -> None:
    content = encoded({"ok": False, "reason": "TrainingFailed", "message": "é" * 10_000})
    assert len(content) <= MAX_BYTES
    assert json.loads(content)["message"].startswith("ééé")


def test_threads_follow_the_limit_but_not_against_the_user(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    environment = {"OMP_NUM_THREADS": "3"}
    follow_cpu_limit(environment, tmp_path / "cpu.max")
    assert [environment[name] for name in VARIABLES] == ["3", "1", "1"]


def test_pods_of_an_indexed_job_share_a_study(job: Make, tmp_path: Path) -> None:
    wanted = job({"tuning": {"trials": 3, "parallelism": 2}}).model_dump_json(by_alias=True)
    place = {"ASSAY_STUDY_DIR": str(tmp_path / "study")}
    helper = start(wanted, tmp_path / "helper", JOB_COMPLETION_INDEX="1", **place)
    assert json.loads(helper.stdout) == {"ok": True, "passed": True, "worker": True}
    assert helper.stderr.count("search.study trial") == 3
    leader = start(wanted, tmp_path / "leader", JOB_COMPLETION_INDEX="0", **place)
    assert json.loads(leader.stdout)["trials"] == {"finished": 3, "pruned": 0, "failed": 0}
    assert "search.study trial" not in leader.stderr


def test_workers_of_one_pod_share_the_study_beside_the_artifact(job: Make, tmp_path: Path) -> None:
    wanted = job({"tuning": {"trials": 3, "parallelism": 2}}).model_dump_json(by_alias=True)
    done = start(wanted, tmp_path / "log")
    assert json.loads(done.stdout)["trials"]["finished"] == 3
    (journal,) = (tmp_path / "store/demo/churn/.study").glob("*/journal.log")
    assert journal.stat().st_size > 0


def test_a_report_has_no_number_that_json_lacks() -> None:
    assert json.loads(encoded({"ok": True, "gates": [{"value": float("nan"), "passed": False}]}))[
        "gates"
    ] == [{"value": None, "passed": False}]


def test_a_leader_tells_how_far_it_is() -> None:
    port = free_port()
    with served(port) as tell:
        tell({"stage": "Tuning", "finished": 3})
        answer = httpx.get(f"http://127.0.0.1:{port}/progress", trust_env=False)
        assert answer.json() == {"stage": "Tuning", "finished": 3}
        assert httpx.get(f"http://127.0.0.1:{port}/etc/passwd", trust_env=False).status_code == 404
        with served(port) as unheard:  # somebody has the port: training goes on
            unheard({"stage": "Fitting"})


def test_another_version_with_the_same_search_finds_its_trials(job: Make, tmp_path: Path) -> None:
    first = job({"tuning": {"trials": 4, "parallelism": 2}})
    assert start(first.model_dump_json(by_alias=True), tmp_path / "log").returncode == 0
    fewer = job({"tuning": {"trials": 4, "parallelism": 1}}, number=2)
    done = start(fewer.model_dump_json(by_alias=True), tmp_path / "log")
    assert json.loads(done.stdout)["trials"]["finished"] == 4
    assert "search.study trial" not in done.stderr


@pytest.mark.slow
def test_three_failing_trials_with_a_budget_of_two_end_with_the_words_of_the_last(
    job: Make, tmp_path: Path
) -> None:
    space = {"HistGradientBoosting": {"max_leaf_nodes": {"choices": [1]}}}
    tuning = {"trials": 8, "parallelism": 2, "maxFailedTrials": 2, "space": space}
    wanted = job({"algorithms": ["HistGradientBoosting"], "tuning": tuning})
    done = start(wanted.model_dump_json(by_alias=True), tmp_path / "log")
    report = json.loads(done.stdout)
    assert (done.returncode, report["reason"]) == (1, "TrialsFailed")
    assert "maxFailedTrials is 2" in report["message"]
    assert "max_leaf_nodes" in report["message"]


def test_who_is_told_to_leave_goes_and_leaves_nothing_behind_but_the_study(job: Make, tmp_path: Path) -> None:
    """Also as the first process of a container, to which a signal that it does not handle means nothing."""
    wanted = job({"tuning": {"trials": 500, "pruner": "None"}}).model_dump_json(by_alias=True)
    own = {"ASSAY_JOB": wanted, "ASSAY_TERMINATION_LOG": str(tmp_path / "log"), "OMP_NUM_THREADS": "1"}
    alone = ["unshare", "--pid", "--fork"] if os.geteuid() == 0 else []
    command = [*alone, sys.executable, "-m", "assay_training"]
    process = subprocess.Popen(command, env={**os.environ, **own}, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "trial 3 of 500" in line:
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]) if alone else process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert not (tmp_path / "log").exists()
    assert [path.name for path in (tmp_path / "store/demo/churn").iterdir()] == [".study"]
