"""Daemons, waiting, readiness: small real processes, no cluster."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cluster import leftovers, ready, shell
from cluster.daemon import Daemon, start_time, stop
from cluster.settings import Cluster
from cluster.wait import until

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "from signal import *; import time; signal(SIGTERM, SIG_IGN); print('deaf', flush=True); time.sleep(60)",
)


def test_a_daemon_starts_once_and_stops_by_its_pid_file(tmp_path: Path) -> None:
    daemon = Daemon("sleeper", tmp_path)
    daemon.start(SLEEPER)
    first = daemon.pid()
    daemon.start(SLEEPER)
    assert first is not None
    assert daemon.pid() == first
    stop([daemon])
    assert daemon.pid() is None
    assert not daemon.pid_file.exists()


def test_a_daemon_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    daemon = Daemon("stubborn", tmp_path)
    daemon.start(STUBBORN)
    until(lambda: "deaf" in daemon.log.read_text(), "its first word", 10)
    stop([daemon], seconds=0.2)
    assert daemon.pid() is None


def test_a_pid_that_belongs_to_someone_else_by_now_is_not_ours(tmp_path: Path) -> None:
    daemon = Daemon("other", tmp_path)
    daemon.pid_file.write_text(f"{os.getpid()} 1\n")
    assert daemon.pid() is None
    daemon.pid_file.write_text(f"{os.getpid()} {start_time(os.getpid())}\n")
    assert daemon.pid() == os.getpid()


def test_stopping_what_never_ran_is_fine(tmp_path: Path) -> None:
    stop([Daemon("nobody", tmp_path)])


def test_waiting_ends_as_soon_as_the_claim_holds() -> None:
    answers = iter([False, False, True])
    until(lambda: next(answers), "the third answer", 5, pause=0.001)


def test_nobody_listening_yet_is_not_an_error_while_waiting() -> None:
    answers = iter([ConnectionRefusedError(), None])

    def claim() -> bool:
        if (answer := next(answers)) is not None:
            raise answer
        return True

    until(claim, "a listener", 5, pause=0.001)


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(shell.Failed, match="gave up waiting for rain after 0 s"):
        until(lambda: False, "rain", 0)


def test_a_failed_program_is_named_with_its_last_words() -> None:
    with pytest.raises(shell.Failed, match=r"(?s)status 3.*because"):
        shell.run(sys.executable, "-c", "print('because'); raise SystemExit(3)")


def test_a_lock_lets_one_through_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with shell.locked(tmp_path / "lock"):
            order.append("second")

    with shell.locked(tmp_path / "lock"):
        other = threading.Thread(target=second)
        other.start()
        time.sleep(0.05)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def _node(status: str = "True", beat: float = 100.0, taints: tuple[str, ...] = ()) -> dict[str, Any]:
    moment = datetime.fromtimestamp(beat, UTC).isoformat().replace("+00:00", "Z")
    return {
        "status": {"conditions": [{"type": "Ready", "status": status, "lastHeartbeatTime": moment}]},
        "spec": {"taints": [{"key": key} for key in taints]},
    }


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(None, False, id="no node yet"),
        pytest.param({"status": {}, "spec": {}}, False, id="a node that said nothing yet"),
        pytest.param(_node(), True, id="ready, said after the start"),
        pytest.param(_node(beat=50), False, id="ready, but those are the words of the last run"),
        pytest.param(_node("False"), False, id="not ready"),
        pytest.param(_node(taints=("node.kubernetes.io/not-ready",)), False, id="ready, but still closed"),
        pytest.param(_node(taints=("example.org/gpu",)), True, id="a taint of the user's own"),
    ],
)
def test_a_node_is_ready_when_it_says_so_now_and_is_open(
    node: dict[str, Any] | None, *, expected: bool
) -> None:
    assert ready.node_is_ready(node, since=100.9) is expected


def test_the_dns_question_is_what_goes_over_the_wire() -> None:
    assert ready.question("a.bc") == b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\1a\2bc\0" + b"\0\1\0\1"


@pytest.mark.parametrize(
    ("flags", "answers", "expected"),
    [(b"\x81\x80", b"\0\1", True), (b"\x81\x83", b"\0\0", False), (b"\x81\x80", b"\0\0", False)],
    ids=["one address", "no such name", "a name without address"],
)
def test_a_dns_reply_counts_when_it_has_an_address(flags: bytes, answers: bytes, *, expected: bool) -> None:
    assert ready.has_answer(b"\0\1" + flags + b"\0\1" + answers + b"\0\0\0\0") is expected


def test_a_process_that_names_the_clusters_state_is_found_and_no_other(tmp_path: Path) -> None:
    cluster = Cluster("one", tmp_path)
    words = (*SLEEPER, f"{cluster.state}/something")
    ours = subprocess.Popen(words)
    others = subprocess.Popen((*SLEEPER, f"{Cluster('one-more', tmp_path).state}/something"))
    try:
        assert [pid for pid, _ in leftovers.processes(cluster)] == [ours.pid]
    finally:
        for process in (ours, others):
            process.kill()
            process.wait()
