"""Bad days of a real process: slow and endless heads, many connections, a full disk, a lost database.

ASSAY_TEST_CONNECTIONS=10000 and ASSAY_TEST_OUTAGE_SECONDS=60 ask for more than a normal run does.
"""

import contextlib
import functools
import os
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

OUTAGE_SECONDS = float(os.environ.get("ASSAY_TEST_OUTAGE_SECONDS", "1"))
CONNECTIONS = int(os.environ.get("ASSAY_TEST_CONNECTIONS", "500"))


def answer_to(port: int, *parts: bytes, pause: float = 0) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.settimeout(30)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                one.sendall(part)
                time.sleep(pause)
        with contextlib.suppress(ConnectionResetError):
            return one.recv(200)
    return b""


@pytest.fixture
def declared(make_collector: Callable[..., Any], experiment: dict[str, Any]) -> Any:
    process = make_collector()
    process.start()
    declare(process, experiment)
    return process


def declare(process: Any, experiment: dict[str, Any]) -> None:
    with process.client("operator") as client:
        client.put("/v1/experiments/exp-1", json=experiment).raise_for_status()


def test_many_silent_connections_disturb_nobody(declared: Any, outcome: Make) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", declared.port)))
        with declared.client("application") as client:
            assert client.post("/v1/outcomes", json=outcome(1, "ann")).json()["accepted"] == 1


def test_an_endless_head_is_refused(declared: Any) -> None:
    parts = [b"GET /livez HTTP/1.1\r\n", *[b"x-more: " + b"y" * 8_000 + b"\r\n"] * 20]
    assert b" 431 " in answer_to(declared.port, *parts)
    assert httpx.get(f"{declared.url}/livez").text == "ok"


def test_a_head_that_trickles_is_given_up(declared: Any) -> None:
    with declared.client("application") as client:
        started = time.monotonic()
        assert b" 408 " in answer_to(declared.port, b"GET /livez HTTP/1.1\r\nx-slow: ")
        assert 9 < time.monotonic() - started < 25
        assert client.get("/livez").is_success


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small disk takes root")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip(f"no mount here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_said_clearly_corrupts_nothing_and_heals(
    small_disk: Path, make_collector: Callable[..., Any], experiment: dict[str, Any], outcome: Make
) -> None:
    process = make_collector(f"sqlite:///{small_disk}/collector.db")
    process.start()
    declare(process, experiment)
    accepted, number = 0, 0
    with process.client("application") as client:
        while True:
            answer = client.post("/v1/outcomes", json=[outcome(f"{number}-{n}", f"u{n}") for n in range(500)])
            if not answer.is_success:
                break
            accepted += answer.json()["accepted"]
            number += 1
            assert number < 200, "the disk never filled"
        assert answer.status_code == 503
        assert "nothing was stored" in answer.json()["detail"]
        assert answer.headers["retry-after"] == "1"
        assert process.summary()["checks"]["orphanOutcomes"] == accepted
        subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
        again = client.post("/v1/outcomes", json=[outcome(f"{number}-{n}", f"u{n}") for n in range(500)])
        assert again.json()["accepted"] == 500, "what was refused is not half there"
    assert process.summary()["checks"]["orphanOutcomes"] == accepted + 500
    assert process.terminate() == 0


def test_without_its_database_it_says_so_and_recovers_by_itself(
    postgres_control: Callable[..., None],
    postgres: str,
    make_collector: Callable[..., Any],
    experiment: dict[str, Any],
    outcome: Make,
) -> None:
    process = make_collector(postgres)
    process.start()
    declare(process, experiment)
    with process.client("application") as client:
        first = client.post("/v1/outcomes", json=outcome(1, "ann")).json()
        postgres_control("-m", "immediate", "stop")  # as if it had crashed
        until = time.monotonic() + OUTAGE_SECONDS
        while time.monotonic() < until:
            down = client.post("/v1/outcomes", json=outcome(2, "ann"))
            assert (down.status_code, down.headers["retry-after"]) == (503, "1")
            time.sleep(0.2)
        assert client.get("/readyz").status_code == 503
        assert client.get("/livez").status_code == 200
        postgres_control("start")
        sent = functools.partial(client.post, "/v1/outcomes", json=outcome(2, "ann"))
        until = time.monotonic() + 30
        while not (answer := sent()).is_success and time.monotonic() < until:
            time.sleep(0.1)
        assert (first["accepted"], answer.json()["accepted"]) == (1, 1)
        assert client.get("/readyz").is_success


def test_two_replicas_on_one_database_count_everything_once(
    postgres: str,
    make_collector: Callable[..., Any],
    experiment: dict[str, Any],
    outcome: Make,
    exposure: Make,
) -> None:
    replicas = [make_collector(postgres), make_collector(postgres)]
    for replica in replicas:
        replica.start()
    uid = "exp-replicas"
    with replicas[0].client("operator") as client:
        named = experiment | {"model": "shared"}
        client.put(f"/v1/experiments/{uid}", json=named).raise_for_status()
    with replicas[0].client("gateway") as client:
        sent = [exposure(n, f"user-{n}", experiment=uid) for n in range(50)]
        client.post("/v1/exposures", json=sent).raise_for_status()
    batches = [
        [outcome(f"{b}-{n}", f"user-{n}", "paid", 0.25) | {"model": "demo/shared"} for n in range(50)]
        for b in range(40)
    ]

    def send(replica: Any) -> None:
        with replica.client("application") as client:
            for batch in batches:  # both send everything
                answer = client.post("/v1/outcomes", json=batch)
                assert answer.is_success, answer.text

    senders = [threading.Thread(target=send, args=(replica,)) for replica in replicas]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for replica in replicas:
        cell = replica.summary(uid)["arms"]["control"]["metrics"]["paid"]
        assert (cell["n"], cell["sum"], cell["sumsq"]) == (50, 500.0, 5000.0)
