"""Real servers on loopback ports, with the models of the artifact tests."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

CHURN = Path(__file__).parents[1] / "assay_artifact" / "churn.py"
READY_SECONDS = 300  # on a machine where everything runs at once


class Server:
    """`python -m assay_serving` with an artifact."""

    def __init__(self, uri: str, digest: str, folder: Path, **environment: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.termination_log = folder / "termination-log"
        self.log = folder / "log"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        ours = {
            "MODEL_URI": uri,
            "MODEL_DIGEST": digest,
            "ASSAY_MODEL": "churn",
            "ASSAY_VERSION": "churn-1",
            "ASSAY_NAMESPACE": "demo",
            "ASSAY_TERMINATION_LOG": str(self.termination_log),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "DRAIN_SECONDS": "1",
            "BENTOML_HOME": str(folder / "bentoml"),
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "assay_serving"],
                env={**os.environ, **threads, **ours, **environment},
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def wait_ready(self) -> "Server":
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"not ready: {self.log.read_text()}")

    def ask(self, path: str = "/predict", **options: Any) -> httpx.Response:
        return self.client.post(path, **options)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def stop(self) -> int:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _churn() -> Any:
    if "churn" not in sys.modules:
        spec = importlib.util.spec_from_file_location("churn", CHURN)
        assert spec
        assert spec.loader
        sys.modules["churn"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["churn"])
    return sys.modules["churn"]


@pytest.fixture(scope="session")
def churn() -> Any:
    return _churn()


Start = Callable[..., Server]


@pytest.fixture(scope="session")
def start(churn: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server for one of the models; each is stopped at the end."""
    servers: list[Server] = []

    def started(name: str, environment: dict[str, str] | None = None, **changes: Any) -> Server:
        folder = tmp_path_factory.mktemp("server")
        there = churn.written(folder / "store", name, **changes)
        servers.append(Server(there.uri, there.digest, folder, **(environment or {})))
        return servers[-1].wait_ready()

    yield started
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


@pytest.fixture(scope="session")
def logistic(start: Start) -> Server:
    return start("logistic")


@pytest.fixture(scope="session")
def forest(start: Start) -> Server:
    return start("forest")


@pytest.fixture(scope="session")
def ridge(start: Start) -> Server:
    return start("ridge")


@pytest.fixture
def serve_artifact() -> Iterator[Callable[[Any, Path], Server]]:
    """Start a server for an artifact of one's own."""
    servers: list[Server] = []

    def started(there: Any, folder: Path) -> Server:
        servers.append(Server(there.uri, there.digest, folder))
        return servers[-1].wait_ready()

    yield started
    for server in servers:
        server.stop()
