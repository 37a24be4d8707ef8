"""Durable ingest of the collector: events a second, acknowledgement times, memory; next to plain SQL.

    python benchmarks/collector_ingest.py --batches 40 --units 100000
    python benchmarks/collector_ingest.py --fill 10000000          # with many units in the store already
    python benchmarks/collector_ingest.py --url postgresql://...   # the other database

Starts a real collector on loopback, clients in processes of their own. The baseline appends rows of the same
batches to a table in the same way of commit (WAL, synchronous FULL), and its summary is a GROUP BY.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import Process, Queue
from pathlib import Path

import httpx
import orjson

PORT = 18_490
BASE = f"http://127.0.0.1:{PORT}"
ROLES = ("operator", "gateway", "application")
KEY = "k" * 32


def experiment() -> dict[str, object]:
    metrics = [
        {"name": "retained", "type": "Proportion"},
        {"name": "paid", "type": "Mean", "aggregate": "Sum"},
        {"name": "errors", "type": "Proportion", "source": "Gateway"},
    ]
    arms = {"arms": ["control", "boosted"], "table": "control:0-5000,boosted:5000-10000"}
    return {"namespace": "demo", "name": "bench", "model": "churn", "metrics": metrics, **arms}


def token(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {role}-token"}


@contextlib.contextmanager
def collector(folder: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    tokens = folder / "tokens"
    tokens.mkdir(exist_ok=True)
    for role in ROLES:
        (tokens / role).write_text(f"{role}-token")
    (folder / "key").write_text(KEY)
    environment = os.environ | {
        "ASSAY_DATABASE_URL": url, "ASSAY_TOKENS_DIR": str(tokens),
        "ASSAY_UNIT_KEY_FILE": str(folder / "key"),
        "ASSAY_LISTEN_HOST": "127.0.0.1", "ASSAY_LISTEN_PORT": str(PORT), "ASSAY_LOG_LEVEL": "warning",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "assay_collector"], env=environment)
    try:
        wait_ready()
        httpx.put(
            f"{BASE}/v1/experiments/bench", json=experiment(), headers=token("operator")
        ).raise_for_status()
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_ready() -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{BASE}/readyz").is_success:
                return
        time.sleep(0.05)
    raise RuntimeError("the collector did not become ready")


def exposure_bodies(units: range, size: int) -> Iterator[bytes]:
    from assay_assign import pseudonym  # noqa: PLC0415 - only here

    for start in range(units.start, units.stop, size):
        lines = []
        for number in range(start, min(start + size, units.stop)):
            record = {
                "id": f"r-{number}", "ts": time.time(), "experiment": "bench", "epoch": 1,
                "unit": pseudonym(KEY.encode(), f"u{number}"), "arm": ("control", "boosted")[number % 2],
                "served": ("control", "boosted")[number % 2], "status": 200, "duration_us": 900,
                "attempts": 1, "audit": "ok",
            }  # fmt: skip
            lines.append(orjson.dumps(record))
        yield b"\n".join(lines)


def outcome_body(client: int, number: int, size: int, units: int) -> bytes:
    dice = random.Random(client * 1_000_003 + number)
    return orjson.dumps(
        [
            {
                "model": "demo/churn", "unit": f"u{dice.randrange(units)}",
                "metric": ("retained", "paid")[each % 2], "value": dice.choice((0, 1, 2.5)),
                "id": f"{client}-{number}-{each}",
            }
            for each in range(size)
        ]
    )  # fmt: skip


async def post(client: httpx.AsyncClient, path: str, role: str, body: bytes) -> float:
    started = time.perf_counter()
    answer = await client.post(path, content=body, headers=token(role))
    answer.raise_for_status()
    return time.perf_counter() - started


def work(bodies: list[bytes], path: str, role: str, results: "Queue[list[float]]") -> None:
    async def run() -> list[float]:
        async with httpx.AsyncClient(base_url=BASE, timeout=60) as client:
            return [await post(client, path, role, body) for body in bodies]

    results.put(asyncio.run(run()))


def drive(bodies: list[list[bytes]], path: str, role: str) -> tuple[float, list[float]]:
    results: Queue[list[float]] = Queue()
    started = time.perf_counter()
    clients = [Process(target=work, args=(mine, path, role, results)) for mine in bodies]
    for client in clients:
        client.start()
    times = [each for _ in clients for each in results.get()]
    elapsed = time.perf_counter() - started
    for client in clients:
        client.join()
    return elapsed, times


def usage(pid: int) -> tuple[float, float]:
    """CPU seconds and resident MB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = os.sysconf("SC_CLK_TCK")
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
    return (int(fields[11]) + int(fields[12])) / ticks, resident / 1e6


def phase(name: str, pid: int, bodies: list[list[bytes]], path: str, role: str) -> None:
    before, _ = usage(pid)
    elapsed, times = drive(bodies, path, role)
    after, memory = usage(pid)
    ordered = sorted(times)
    events = sum(body.count(b'"id"') for mine in bodies for body in mine)
    tell(
        name,
        {
            "events": events,
            "events/s": round(events / elapsed),
            "ack p50 ms": round(statistics.median(ordered) * 1e3, 1),
            "ack p99 ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 1),
            "cpu us/event": round((after - before) / events * 1e6, 1),
            "memory MB": round(memory),
        },
    )


def tell(what: str, numbers: dict[str, float]) -> None:
    print(json.dumps({"what": what} | numbers), flush=True)


def fill(units: int, start: int = 0) -> None:
    """Enrol units through the front door."""
    with httpx.Client(base_url=BASE, timeout=60) as client:
        for body in exposure_bodies(range(start, start + units), 5_000):
            client.post("/v1/exposures", content=body, headers=token("gateway")).raise_for_status()
    print(json.dumps({"filled": units}), flush=True)


def summaries(times: int) -> None:
    with httpx.Client(base_url=BASE) as client:
        took = []
        for _ in range(times):
            started = time.perf_counter()
            client.get("/v1/experiments/bench/summary", headers=token("operator")).raise_for_status()
            took.append(time.perf_counter() - started)
    print(
        json.dumps(
            {
                "what": "summary",
                "p50 ms": round(statistics.median(took) * 1e3, 2),
                "max ms": round(max(took) * 1e3, 2),
            }
        )
    )


def baseline(folder: Path, bodies: list[list[bytes]]) -> None:
    """Append rows, one transaction a batch, and GROUP BY at read."""
    connection = sqlite3.connect(folder / "baseline.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE outcomes (id TEXT PRIMARY KEY, unit TEXT, metric TEXT, value REAL)")
    started, cpu, events = time.perf_counter(), time.process_time(), 0
    for body in (each for mine in bodies for each in mine):
        rows = [(r["id"], r["unit"], r["metric"], r["value"]) for r in orjson.loads(body)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", rows)
        connection.execute("COMMIT")
        events += len(rows)
    elapsed, cpu = time.perf_counter() - started, time.process_time() - cpu
    units = "SELECT metric, SUM(value) v FROM outcomes GROUP BY unit, metric"
    read = time.perf_counter()
    connection.execute(
        f"SELECT metric, COUNT(*), SUM(v), SUM(v * v) FROM ({units}) GROUP BY metric"
    ).fetchall()
    took = (time.perf_counter() - read) * 1e3
    each = {"events/s": round(events / elapsed), "cpu us/event": cpu / events * 1e6, "GROUP BY ms": took}
    tell("plain SQL, in process", each)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--batches", type=int, default=40, help="a client")
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--fill", type=int, default=0, help="more units that are in the store before")
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        run(given, Path(name))


def run(given: argparse.Namespace, folder: Path) -> None:
    exposures = list(exposure_bodies(range(given.units), given.batch))
    shares = [exposures[n :: given.clients] for n in range(given.clients)]
    every = range(given.clients)
    outcomes = [
        [outcome_body(c, n, given.batch, given.units + given.fill) for n in range(given.batches)]
        for c in every
    ]
    with collector(folder, given.url or f"sqlite:///{folder}/collector.db") as process:
        if given.fill:
            fill(given.fill, given.units)
        phase("exposures", process.pid, shares, "/v1/exposures", "gateway")
        phase("outcomes", process.pid, outcomes, "/v1/outcomes", "application")
        phase(
            "outcomes again: all duplicates",
            process.pid,
            outcomes,
            "/v1/outcomes",
            "application",
        )
        summaries(200)
    baseline(folder, outcomes)


if __name__ == "__main__":
    main()
