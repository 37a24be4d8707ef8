"""A real process under people who mean harm, or know no better: they are refused, and nobody else waits."""

import concurrent.futures
import contextlib
import gzip
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

Make = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.slow

HUGE = 100 * 2**20
MEMORY_BYTES = 300 * 2**20
SLOW_SYNC = r"""
#include <unistd.h>
#include <sys/syscall.h>
static int later(long call, int file) { usleep(700 * 1000); return (int)syscall(call, file); }
int fsync(int file) { return later(SYS_fsync, file); }
int fdatasync(int file) { return later(SYS_fdatasync, file); }
"""


@pytest.fixture
def declared(make_collector: Callable[..., Any], experiment: dict[str, Any]) -> Any:
    process = make_collector()
    process.start()
    with process.client("operator") as client:
        client.put("/v1/experiments/exp-1", json=experiment).raise_for_status()
    return process


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@contextlib.contextmanager
def still_served(process: Any, outcome: Make) -> Iterator[list[float]]:
    """An application that reports all the while; every report must be acknowledged."""
    times: list[float] = []
    begun, stop = threading.Event(), threading.Event()

    def report() -> None:
        with process.client("application") as client:
            while not stop.is_set():
                started = time.monotonic()
                answer = client.post("/v1/outcomes", json=outcome(f"good-{len(times)}", "ann"))
                assert answer.json()["accepted"] == 1
                times.append(time.monotonic() - started)
                begun.set()
                time.sleep(0.01)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        task = pool.submit(report)
        task.add_done_callback(lambda _: begun.set())
        begun.wait()
        try:
            yield times
        finally:
            stop.set()
        task.result(60)
    assert resident(process.pid) < MEMORY_BYTES


def zeros() -> Iterator[bytes]:
    for _ in range(HUGE // 2**16):
        yield bytes(2**16)


def test_a_body_of_100_mb_is_refused_before_it_is_read(declared: Any, outcome: Make) -> None:
    with still_served(declared, outcome), declared.client("application") as client:
        for _ in range(3):
            announced = {"Content-Length": str(HUGE)}
            with contextlib.suppress(httpx.WriteError):  # it hung up while we were still sending
                answer = client.post("/v1/outcomes", content=zeros(), headers=announced)
                assert answer.status_code == 413
            with contextlib.suppress(httpx.WriteError, httpx.RemoteProtocolError):
                answer = client.post("/v1/outcomes", content=zeros())  # in chunks, of unknown length
                assert answer.status_code == 413


def test_a_gzip_bomb_is_refused_when_it_has_grown_too_large(declared: Any, outcome: Make) -> None:
    bomb = gzip.compress(b" " * HUGE, compresslevel=9)
    assert len(bomb) < 200_000
    with still_served(declared, outcome), declared.client("application") as client:
        for _ in range(20):
            answer = client.post("/v1/outcomes", content=bomb, headers={"Content-Encoding": "gzip"})
            assert answer.status_code == 413


def test_bodies_that_trickle_hold_up_nobody_else(declared: Any, outcome: Make) -> None:
    head = (
        b"POST /v1/outcomes HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer application-token\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    with contextlib.ExitStack() as stack, still_served(declared, outcome) as times:
        slow = [
            stack.enter_context(socket.create_connection(("127.0.0.1", declared.port))) for _ in range(300)
        ]
        for one in slow:
            one.sendall(head)
        before = len(times)
        while len(times) < before + 20:
            for one in slow:
                one.sendall(b" ")
            time.sleep(0.05)


@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": "Bearer guess"}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}],
    ids=["no token", "a guess", "another scheme", "none after all"],
)
def test_wrong_tokens_are_refused_before_a_byte_of_the_body_is_read(
    declared: Any, outcome: Make, header: dict[str, str]
) -> None:
    with httpx.Client(base_url=declared.url, headers=header) as stranger, still_served(declared, outcome):
        for _ in range(50):
            assert stranger.post("/v1/outcomes", json=outcome(1, "eve")).status_code == 401
    page = httpx.get(f"{declared.url}/metrics").text
    assert 'assay_requests_refused_total{path="/v1/outcomes",status="401"} 50.0' in page


@pytest.fixture
def slow_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every fsync of the processes that start from here take 0.7 s longer."""
    if (compiler := shutil.which("cc") or shutil.which("gcc")) is None:
        pytest.skip("a slow disk is made with a C compiler")
    (tmp_path / "slow.c").write_text(SLOW_SYNC)
    library = tmp_path / "slow.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, tmp_path / "slow.c"], check=True, timeout=60)
    monkeypatch.setenv("LD_PRELOAD", str(library))


@pytest.mark.usefixtures("slow_disk")
def test_on_a_slow_disk_everything_waits_for_few_commits_and_readers_do_not_wait(
    make_collector: Callable[..., Any], experiment: dict[str, Any], outcome: Make, monkeypatch: Any
) -> None:
    process = make_collector()
    process.start()
    monkeypatch.delenv("LD_PRELOAD")
    with process.client("operator") as client:
        client.put("/v1/experiments/exp-1", json=experiment).raise_for_status()

    def report(number: int) -> int:
        with process.client("application") as client:
            sent = [client.post("/v1/outcomes", json=outcome(f"{number}-{n}", "ann")) for n in range(3)]
        return sum(answer.json()["accepted"] for answer in sent)

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(16) as pool, process.client("operator") as reader:
        reports = [pool.submit(report, number) for number in range(16)]
        reading = []
        while not all(each.done() for each in reports):
            before = time.monotonic()
            assert reader.get("/v1/experiments/exp-1/summary").is_success
            assert reader.get("/livez").is_success
            reading.append(time.monotonic() - before)
            time.sleep(0.05)
        accepted = sum(each.result() for each in reports)
    took = time.monotonic() - started
    assert accepted == 48
    assert took > 3 * 0.7, "an answer does not leave before its commit"
    assert took < 48 * 0.7, "reports that come together share a commit"
    assert sorted(reading)[len(reading) // 2] < 0.5
    assert process.summary()["checks"]["orphanOutcomes"] == 48
    assert process.terminate() == 0
