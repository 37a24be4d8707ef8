"""A log to write, a collector that can be told what to answer, and a shipper to turn by hand."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay_assign import arm_at, decode, slot
from assay_shipper.delivery import Delivery
from assay_shipper.loop import Shipper
from assay_shipper.settings import Settings
from assay_shipper.telemetry import Telemetry

KEY = b"a key for tests"
TABLE = "control:0-5000,boosted:5000-9000"


@dataclass
class Collector:
    """What it got, and what it answers: 200, unless `status` says otherwise for a record.

    Counts of answers come on the side, and are taken as `takes_counts` says.
    """

    got: list[dict[str, Any]] = field(default_factory=list)
    counts: list[dict[str, Any]] = field(default_factory=list)
    takes_counts: int = 200
    posts: list[dict[str, str]] = field(default_factory=list)
    status: Callable[[list[dict[str, Any]]], int] = lambda _: 200
    url: str = ""

    @property
    def ids(self) -> list[str]:
        return [record["id"] for record in self.got]


def handler(collector: Collector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            collector.posts.append({"path": self.path, **dict(self.headers)})
            records = [json.loads(line) for line in body.splitlines()]
            counts = self.path == "/v1/answers"
            status = collector.takes_counts if counts else collector.status(records)
            if status == 200:
                (collector.counts if counts else collector.got).extend(records)
            answer = json.dumps({"accepted": len(records), "unknown": 0}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A real HTTP server; the collector itself has its own tests, and one of them has this shipper in it."""
    state = Collector()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Log:
    """Envoy's log."""

    path: Path
    written: int = 0
    began: int = field(default_factory=lambda: int(time.time()) - 10_000)

    def line(self, **other: Any) -> bytes:
        self.written += 1
        unit = f"user-{self.written}"
        plain = {
            "ts": f"{self.began + self.written}.123456", "id": f"id-{self.written}",
            "namespace": "demo", "model": "churn", "experiment": "exp-1", "epoch": "3",
            "table": TABLE, "unit": unit,
            "assigned": arm_at(decode(TABLE), slot("exp-1", unit)) or "unenrolled", "served": "control",
            "version": "churn-1", "status": 200, "dur_us": 1234, "attempts": 1, "flags": "-", "details": "-",
        }  # fmt: skip
        return json.dumps(plain | other).encode() + b"\n"

    def enrolled(self, **other: Any) -> bytes:
        """A line of a unit in an arm."""
        while True:
            line = self.line(**other)
            if json.loads(line)["assigned"] in ("control", "boosted"):
                return line

    def append(self, *lines: bytes) -> list[str]:
        with self.path.open("ab") as file:
            file.write(b"".join(lines))
        return [json.loads(line)["id"] for line in lines]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    folder = tmp_path / "log"
    folder.mkdir()
    return Log(folder / "exposures.jsonl")


@dataclass
class Bench:
    """Shippers over one log, one after the other: each new one is a restart."""

    settings: Settings
    telemetry: Telemetry
    admin: httpx.Client | None
    closing: list[httpx.Client | Shipper] = field(default_factory=list)

    def start(self) -> Shipper:
        client = httpx.Client(base_url=self.settings.collector_url, timeout=5)
        self.closing.append(client)
        delivery = Delivery(client, self.settings.token_file, self.telemetry)
        shipper = Shipper(self.settings, delivery, self.admin, self.telemetry)
        self.closing.append(shipper)
        return shipper

    def ship(self) -> Shipper:
        """Start one and ship everything there is."""
        shipper = self.start()
        turn(shipper)
        return shipper

    def metric(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(name, labels) or 0.0


def turn(shipper: Shipper) -> None:
    """Let a shipper do all that can be done now."""
    while shipper.round():
        pass


@pytest.fixture
def make_bench(tmp_path: Path, log: Log, collector: Collector) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []
    (tmp_path / "token").write_text("gateway-token\n")
    (tmp_path / "key").write_bytes(KEY)

    def make(admin: httpx.Client | None = None, **settings: Any) -> Bench:
        plain = {
            "exposures": log.path, "collector_url": collector.url, "token_file": tmp_path / "token",
            "unit_key_file": tmp_path / "key", "poll_seconds": 0.01, "drain_seconds": 5,
        }  # fmt: skip
        made.append(Bench(Settings(**(plain | settings)), Telemetry(), admin))
        return made[-1]

    yield make
    for bench in made:
        for each in (*bench.closing, *([bench.admin] if bench.admin else ())):
            each.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
