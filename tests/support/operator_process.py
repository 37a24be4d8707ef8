"""The operator and the collector as processes of their own, against a real API server."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_objects import until
from servers import free_port

SYSTEM = "assay-system"
TOKENS = ("operator", "gateway", "application", "predictor", "webhook")
START_SECONDS, STOP_SECONDS = 180, 30


def tokens(folder: Path) -> Path:
    """Write a token for each role; return their folder."""
    found = folder / "tokens"
    found.mkdir(parents=True, exist_ok=True)
    for role in TOKENS:
        (found / role).write_text(f"a-token-of-the-{role}\n")
    (folder / "unit.key").write_text("a key of pseudonyms")
    return found


@dataclass
class Process:
    """A server of ours that tells by GET /readyz when it can be used.

    Args:
        module: What `python -m` runs.
        port: Where it answers HTTP.
        environment: Added to ours.
        log: Standard output and error, appended.
    """

    module: str
    port: int
    environment: Mapping[str, str]
    log: Path
    _running: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Of the living process."""
        assert self._running is not None, f"{self.module} is not running"
        return self._running.pid

    def start(self, *, wait: bool = True) -> None:
        """Start it and wait until it is ready.

        Raises:
            AssertionError: it ended or did not get ready; the message has the end of its log.
        """
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(
                [sys.executable, "-m", self.module],
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds: float = START_SECONDS) -> None:
        """Wait until it answers /readyz; see `start` for errors."""
        try:
            until(self._ready, f"{self.module} to be ready", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.last_lines()}") from error

    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._running is not None and self._running.poll() is None

    def stop(self) -> None:
        """End it by SIGTERM, and by SIGKILL if that does not help; idempotent."""
        if self._running is None:
            return
        self._running.terminate()
        try:
            self._running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._running = None

    def kill(self) -> None:
        """End it by SIGKILL."""
        if self._running is not None:
            self._running.kill()
            self._running.wait(STOP_SECONDS)
            self._running = None

    def get(self, path: str) -> str:
        """Return what it answers to a GET."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            page: str = answer.read().decode()
        return page

    def last_lines(self, count: int = 30) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])

    def _ready(self) -> bool:
        assert self.is_alive(), f"{self.module} ended\n{self.last_lines()}"
        try:
            return bool(self.get("/readyz")) or True
        except OSError:
            return False


def collector(folder: Path) -> Process:
    """Return a collector with an empty SQLite database in `folder`, not started yet."""
    port = free_port()
    environment = {
        "ASSAY_DATABASE_URL": f"sqlite:///{folder}/collector.db",
        "ASSAY_TOKENS_DIR": str(tokens(folder)),
        "ASSAY_UNIT_KEY_FILE": str(folder / "unit.key"),
        "ASSAY_LISTEN_HOST": "127.0.0.1",
        "ASSAY_LISTEN_PORT": str(port),
        "ASSAY_LOG_LEVEL": "warning",
    }
    return Process("assay_collector", port, environment, folder / "collector.log")


@dataclass
class OperatorProcess(Process):
    """The operator; `xds_port` is where its gateways connect."""

    xds_port: int = 0


def operator(kubeconfig: Path, folder: Path, collector_url: str, **settings: Any) -> OperatorProcess:
    """Return an operator that is not started yet.

    Args:
        kubeconfig: Of the API server, with the rights of an administrator.
        folder: For its log and its tokens.
        collector_url: Whom it asks for numbers.
        settings: Of `assay_operator.settings`, by their names there.
    """
    chosen = {
        "own_namespace": SYSTEM,
        "collector_url": collector_url,
        "tokens_dir": tokens(folder),
        "http_port": free_port(),
        "xds_port": free_port(),
        **settings,
    }
    environment = {f"ASSAY_{name.upper()}": str(value) for name, value in chosen.items()}
    environment |= {"KUBECONFIG": str(kubeconfig), "LOGNAME": "assay"}
    return OperatorProcess(
        "assay_operator.main",
        int(chosen["http_port"]),
        environment,
        folder / "operator.log",
        xds_port=int(chosen["xds_port"]),
    )


@contextmanager
def alive(*processes: Process) -> Iterator[None]:
    """Start them in this order for a `with` block, and stop them in the other one."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in reversed(processes):
            process.stop()
