"""kill -9 of a real shipper in front of a real collector: every line counted exactly once.

ASSAY_KILL_ROUNDS asks for more rounds than the few of a normal run.
"""

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers import free_port

from assay_assign import Interval, arm_at, decode, slot

ROUNDS = int(os.environ.get("ASSAY_KILL_ROUNDS", "3"))
PATIENCE_SECONDS = 90
TABLE: tuple[Interval, ...] = decode("control:0-5000,boosted:5000-9000")


def wait(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if condition():
                return
        time.sleep(0.05)
    raise AssertionError(what)


class Processes:
    """A collector, and shippers that come and go."""

    def __init__(self, folder: Path, log: Path) -> None:
        for role in ("operator", "gateway", "application"):
            (folder / role).write_text(f"{role}-token")
        (folder / "key").write_bytes(b"a key for tests")
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        self.metrics = free_port()
        self._out = (folder / "processes.log").open("ab")
        self._environment = os.environ | {
            "ASSAY_DATABASE_URL": f"sqlite:///{folder}/collector.db",
            "ASSAY_TOKENS_DIR": str(folder),
            "ASSAY_TOKEN_FILE": str(folder / "gateway"),
            "ASSAY_UNIT_KEY_FILE": str(folder / "key"),
            "ASSAY_COLLECTOR_URL": self.url,
            "ASSAY_EXPOSURES": str(log),
        }
        listen = {"ASSAY_LISTEN_PORT": str(port), "ASSAY_LISTEN_HOST": "127.0.0.1"}
        self._collector = self._started("assay_collector", listen)
        self.shipper: subprocess.Popen[bytes] | None = None
        wait(lambda: httpx.get(f"{self.url}/readyz").is_success, "the collector did not start")

    def _started(self, module: str, more: dict[str, str]) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module]
        return subprocess.Popen(command, env=self._environment | more, stdout=self._out, stderr=self._out)

    def ship(self) -> subprocess.Popen[bytes]:
        more = {"ASSAY_LISTEN_PORT": str(self.metrics), "ASSAY_DRAIN_SECONDS": "20"}
        self.shipper = self._started("assay_shipper", more)
        return self.shipper

    def operator(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": "Bearer operator-token"}
        answer = httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30, **more)
        return answer.raise_for_status().json()

    def exposures(self) -> int:
        arms = self.operator("GET", "/v1/experiments/exp-1/summary")["arms"]
        return sum(arm["exposures"] for arm in arms.values())

    def stop(self) -> None:
        for process in (self.shipper, self._collector):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self._out.close()


@pytest.fixture
def processes(tmp_path: Path, log: Any) -> Iterator[Processes]:
    started = Processes(tmp_path, log.path)
    yield started
    started.stop()


EXPERIMENT = {
    "namespace": "demo",
    "name": "boost",
    "model": "churn",
    "arms": ["control", "boosted"],
    "table": "control:0-5000,boosted:5000-9000",
    "metrics": [{"name": "errors", "type": "Proportion", "source": "Gateway"}],
}


def test_kill_9_of_the_shipper_under_load_loses_no_line_and_counts_none_twice(
    processes: Processes, log: Any
) -> None:
    processes.operator("PUT", "/v1/experiments/exp-1", json=EXPERIMENT)
    dice = random.Random(7)
    enrolled = 0
    for _ in range(ROUNDS):
        shipper = processes.ship()
        before, until = processes.exposures(), time.monotonic() + dice.uniform(0.2, 1.0)
        while processes.exposures() == before or time.monotonic() < until:
            log.append(*(log.enrolled() for _ in range(20)))
            enrolled += 20
            time.sleep(0.005)
        shipper.kill()
        shipper.wait()
    shipper = processes.ship()
    wait(lambda: processes.exposures() == enrolled, "not everything arrived")
    wait(lambda: httpx.get(f"http://127.0.0.1:{processes.metrics}").is_success, "the shipper did not start")
    shipper.terminate()
    assert shipper.wait(30) == 0
    found = processes.operator("GET", "/v1/experiments/exp-1/summary")
    units = {"control": 0, "boosted": 0}
    for number in range(1, log.written + 1):
        arm = arm_at(TABLE, slot("exp-1", f"user-{number}"))
        if arm is not None:
            units[arm] += 1
    assert {name: arm["exposures"] for name, arm in found["arms"].items()} == units
    assert {name: arm["units"] for name, arm in found["arms"].items()} == units
    assert found["checks"]["auditMismatches"] == 0


def test_a_line_changes_the_summary_within_half_a_second_or_so(processes: Processes, log: Any) -> None:
    processes.operator("PUT", "/v1/experiments/exp-1", json=EXPERIMENT)
    processes.ship()
    log.append(log.enrolled())
    wait(lambda: processes.exposures() == 1, "the first line did not arrive")
    times = []
    for number in range(2, 12):
        since = processes.operator("GET", "/v1/changes?timeout=0")["revision"]
        started = time.monotonic()
        log.append(log.enrolled())
        news = processes.operator("GET", f"/v1/changes?since={since}&timeout=20")
        times.append(time.monotonic() - started)
        assert news["experiments"] == ["exp-1"]
        assert processes.exposures() == number
    assert sorted(times)[len(times) // 2] < 1.0, f"a rollback has two seconds in all: {times}"
    assert "assay_shipper_sent_total 11.0" in httpx.get(f"http://127.0.0.1:{processes.metrics}/metrics").text
