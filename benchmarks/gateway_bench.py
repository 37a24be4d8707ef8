"""What the gateway benchmarks share: the laboratory of the tests, fast upstreams, a cheap load."""

import importlib.util
import itertools
import multiprocessing
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

LAB = Path(__file__).parent.parent / "tests" / "gateway" / "lab.py"
BATCH = 32


def laboratory() -> ModuleType:
    """Return the module that runs gateways on loopback."""
    spec = importlib.util.spec_from_file_location("gateway_lab", LAB)
    assert spec
    assert spec.loader
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def request(unit: str, host: str = "churn.demo") -> bytes:
    """Return a small GET."""
    return f"GET /predict HTTP/1.1\r\nhost: {host}\r\nx-user-id: {unit}\r\n\r\n".encode()


class Socket:
    """A keep-alive connection that counts answers."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, requests: list[bytes]) -> tuple[int, int]:
        """Send requests in one go; return how many were answered with 200, and with anything else."""
        self.connection.sendall(b"".join(requests))
        buffer, good = b"", 0
        while (answered := buffer.count(b"HTTP/1.1 ")) < len(requests) or not buffer.endswith(b"\n"):
            data = self.connection.recv(1 << 18)
            if not data:
                break
            buffer += data
        good = buffer.count(b"HTTP/1.1 200")
        return good, max(answered, len(requests)) - good


def _pound(port: int, connections: int, pause: float, stop: Event, results: Any) -> None:
    sockets, good, bad = [Socket(port) for _ in range(connections)], 0, 0
    units = (request(f"unit-{n}") for n in itertools.count())
    while not stop.is_set():
        for one in sockets:
            g, b = one.send([next(units)])
            good, bad = good + g, bad + b
        time.sleep(pause)
    results.put((good, bad))


class Load:
    """A process that asks without end."""

    def __init__(self, port: int, connections: int = 16, pause: float = 0.002) -> None:
        self.stop_event, self.results = multiprocessing.Event(), multiprocessing.Queue()
        arguments = (port, connections, pause, self.stop_event, self.results)
        self.process = multiprocessing.Process(target=_pound, args=arguments, daemon=True)
        self.process.start()

    def stop(self) -> tuple[int, int]:
        """Return the number of requests answered with 200, and of the others."""
        self.stop_event.set()
        counts: tuple[int, int] = self.results.get(timeout=30)
        self.process.join(10)
        return counts


def run(port: int, count: int) -> None:
    """Send `count` requests over one connection."""
    one = Socket(port)
    for start in range(0, count, BATCH):
        good, bad = one.send([request(f"unit-{n}") for n in range(start, start + BATCH)])
        assert bad == 0, (good, bad)
    one.connection.close()


def direct_listener(name: str, port: int) -> dict[str, Any]:
    """Return a listener that answers its own name, as a model server of no cost."""
    answer = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": name + "\n"}},
    }
    types = "type.googleapis.com/envoy.extensions.filters."
    router = {"name": "router", "typed_config": {"@type": f"{types}http.router.v3.Router"}}
    manager = {
        "@type": f"{types}network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "http_filters": [router],
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": [answer]}]},
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


@contextmanager
def static_envoy(lab: Any, folder: Path, name: str, resources: dict[str, Any]) -> Iterator[Any]:
    """Run an Envoy whose configuration does not change; yield its process."""
    admin = lab.free_port()
    text = {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": admin}}},
        "static_resources": resources,
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(text))
    command = [
        lab.ENVOY,
        "-c",
        str(file),
        "--disable-hot-restart",
        "--concurrency",
        "1",
        "--log-level",
        "error",
    ]
    process = subprocess.Popen(command)
    try:
        for listener in resources["listeners"]:
            _connected(listener["address"]["socket_address"]["port_value"])
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _connected(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def upstreams(lab: Any, folder: Path, *names: str) -> Iterator[dict[str, Any]]:
    """Run model servers of no cost; yield their backends."""
    ports = {name: lab.free_port() for name in names}
    listeners = [direct_listener(name, port) for name, port in ports.items()]
    with static_envoy(lab, folder, "upstreams", {"listeners": listeners}):
        pods = {n: lab.Endpoint("127.0.0.1", port) for n, port in ports.items()}
        yield {n: lab.Backend(n, (pod,), pod) for n, pod in pods.items()}  # who is his own Service
