"""A real process made of the kit: its metrics answer, and each signal ends it with code 0."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from assay_process.metrics import metrics_server
from assay_process.termination import termination_log

WORKER = Path(__file__).with_name("worker.py")


@contextmanager
def worker(*arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(WORKER), *arguments]
    own = os.environ | environment
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=own, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["threads", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_well_and_frees_its_port(kind: str, number: signal.Signals) -> None:
    with worker(kind) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        assert process.stdout.readline() == "ready\n"
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert b"assay_worker_up 1.0" in answer.read()
        process.send_signal(number)
        out, log = process.communicate(timeout=30)
        assert (process.returncode, out) == (0, "stopped\n")
        assert "INFO worker serving" in log
        assert "too much" not in log
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", port))


def test_a_wrong_setting_ends_it_before_it_does_anything() -> None:
    with worker("threads", ASSAY_LISTEN_PORT="many") as process:
        out, log = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert log.startswith("ASSAY_LISTEN_PORT: ")


def test_the_port_of_metrics_is_free_after_an_error_too() -> None:
    registry = CollectorRegistry()
    with pytest.raises(RuntimeError), metrics_server(0, registry) as port:
        raise RuntimeError
    with metrics_server(port, registry) as again:
        assert again == port


def test_a_taken_port_is_an_error_at_once() -> None:
    with (
        socket.create_server(("0.0.0.0", 0)) as taken,
        pytest.raises(OSError, match="in use"),
        metrics_server(taken.getsockname()[1], CollectorRegistry()),
    ):
        pass


def test_the_kubelet_reads_the_termination_log_where_it_says() -> None:
    assert termination_log({}) == Path("/dev/termination-log")
    assert termination_log({"ASSAY_TERMINATION_LOG": "/tmp/x"}) == Path("/tmp/x")
