"""A leaving gateway says so: the chart's drain script against a real Envoy."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from servers import free_port

DRAIN = Path(__file__).resolve().parents[2] / "charts" / "assay" / "files" / "drain.py"
TYPES = "type.googleapis.com/envoy.extensions.filters"


class Envoy(NamedTuple):
    admin: str
    data: str


def bootstrap(admin: int, data: int) -> str:
    """Return the least Envoy that answers."""
    answer = {"match": {"prefix": "/"}, "direct_response": {"status": 200}}
    router = {"name": "router", "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"}}
    manager = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "edge",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [answer]}]},
        "http_filters": [router],
    }

    def at(port: int) -> dict[str, object]:
        return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

    filters = [{"name": "http", "typed_config": manager}]
    listener = {"name": "edge", "address": at(data), "filter_chains": [{"filters": filters}]}
    return json.dumps({"admin": {"address": at(admin)}, "static_resources": {"listeners": [listener]}})


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


@pytest.fixture
def envoy() -> Iterator[Envoy]:
    admin, data = free_port(), free_port()
    binary = Path(sys.executable).with_name("envoy")
    command = [
        str(binary),
        "--config-yaml",
        bootstrap(admin, data),
        "--concurrency",
        "1",
        "--disable-hot-restart",
    ]
    with subprocess.Popen([*command, "--log-level", "off"]) as process:
        there = Envoy(f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{data}")
        deadline = time.monotonic() + 30
        while not answers(there.data) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        yield there
        process.terminate()


def drain(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-S", str(DRAIN), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_after_it_every_answer_asks_the_caller_to_connect_elsewhere(envoy: Envoy) -> None:
    with socket.create_connection(("127.0.0.1", int(envoy.data.rpartition(":")[2])), timeout=5) as kept:
        kept.sendall(b"GET / HTTP/1.1\r\nhost: churn.demo\r\n\r\n")
        assert b"connection: close" not in kept.recv(4096)  # an old connection of a patient caller
        done = drain("0.1", envoy.admin)
        assert done.returncode == 0, done.stderr
        kept.sendall(b"GET / HTTP/1.1\r\nhost: churn.demo\r\n\r\n")
        assert b"connection: close" in kept.recv(4096)


def test_it_waits_as_long_as_it_was_told_even_if_envoy_does_not_answer() -> None:
    begin = time.monotonic()
    done = drain("0.4", f"http://127.0.0.1:{free_port()}")
    assert time.monotonic() - begin >= 0.4
    assert done.returncode == 0
    assert "cannot ask Envoy to drain" in done.stderr
