"""Durable ingest of the collector: events a second, acknowledgement times, memory; next to plain SQL.

    python benchmarks/collector_ingest.py                  # half a minute
    python benchmarks/collector_ingest.py --full           # empty, then with 10 million units
    python benchmarks/collector_ingest.py --postgres       # a PostgreSQL of its own, by initdb and pg_ctl
    python benchmarks/collector_ingest.py --smoke          # seconds: that it runs, no figures

Starts a real collector on loopback, clients in processes of their own. The baseline appends rows of the same
batches to a table in the same way of commit (WAL, synchronous FULL), and its summary is a GROUP BY.
Rates are those of clients that send the next batch when the last one is acknowledged. Their times tell how
long a queue so many batches make; so the acknowledgement times that count are those at the rate of the bar,
from the moment when a batch was due. The last lines compare with the bars; `--check` fails at a miss.
With `--full` a unit has one outcome in a phase on average, or less: so the size of the store is what differs.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import Process, Queue, get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import NamedTuple

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


async def post(client: httpx.AsyncClient, path: str, role: str, body: bytes, due: float = 0) -> float:
    """Send a body when it is due, and return how long after that it was acknowledged."""
    if due:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    started = due or time.perf_counter()
    answer = await client.post(path, content=body, headers=token(role))
    answer.raise_for_status()
    return time.perf_counter() - started


class Course(NamedTuple):
    """Where bodies go, and how long after one the next is due; 0: as soon as it is acknowledged."""

    path: str
    role: str
    interval: float = 0


def work(bodies: list[bytes], course: Course, ready: "Barrier", results: "Queue[list[float]]") -> None:
    async def run() -> list[float]:
        async with httpx.AsyncClient(base_url=BASE, timeout=60, verify=False) as client:
            await client.get("/livez")  # connects, and imports what a first request needs
            ready.wait()
            start, times = time.perf_counter() + random.random() * course.interval, []
            for number, body in enumerate(bodies):
                due = start + number * course.interval if course.interval else 0
                times.append(await post(client, course.path, course.role, body, due))
            return times

    results.put(asyncio.run(run()))


def drive(bodies: list[list[bytes]], course: Course) -> tuple[float, list[float]]:
    results: Queue[list[float]] = Queue()
    ready = get_context().Barrier(len(bodies) + 1)
    clients = [Process(target=work, args=(mine, course, ready, results)) for mine in bodies]
    for client in clients:
        client.start()
    ready.wait()
    started = time.perf_counter()
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


def phase(name: str, pid: int, bodies: list[list[bytes]], course: Course) -> dict[str, float]:
    before, _ = usage(pid)
    elapsed, times = drive(bodies, course)
    after, memory = usage(pid)
    ordered = sorted(times)
    events = sum(body.count(b'"id"') for mine in bodies for body in mine)
    numbers: dict[str, float] = {
        "events": events,
        "events/s": round(events / elapsed),
        "ack p50 ms": round(statistics.median(ordered) * 1e3, 1),
        "ack p99 ms": round(ordered[int(len(ordered) * 0.99)] * 1e3, 1),
        "cpu us/event": round((after - before) / events * 1e6, 1),
        "memory MB": round(memory),
    }
    tell(name, numbers)
    return numbers


def tell(what: str, numbers: dict[str, float]) -> None:
    print(json.dumps({"what": what} | numbers), flush=True)


def fill(units: int, start: int = 0) -> None:
    """Enrol units through the front door."""
    with httpx.Client(base_url=BASE, timeout=60) as client:
        for body in exposure_bodies(range(start, start + units), 5_000):
            client.post("/v1/exposures", content=body, headers=token("gateway")).raise_for_status()
    print(json.dumps({"filled": units}), flush=True)


def summaries(times: int) -> float:
    with httpx.Client(base_url=BASE) as client:
        took = []
        for _ in range(times):
            started = time.perf_counter()
            client.get("/v1/experiments/bench/summary", headers=token("operator")).raise_for_status()
            took.append(time.perf_counter() - started)
    p50 = round(statistics.median(took) * 1e3, 2)
    tell("summary", {"p50 ms": p50, "max ms": round(max(took) * 1e3, 2)})
    return p50


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL on a socket of its own, with every default of its durability."""
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    place = folder / "postgresql"
    place.mkdir()
    folder.chmod(0o755)
    if user:
        shutil.chown(place, "postgres", "postgres")
    options = f"-c listen_addresses= -c unix_socket_directories={place}"
    control = [*user, "pg_ctl", "-D", f"{place}/data", "-w", "-l", f"{place}/log", "-o", options]
    make = [*user, "initdb", "-D", f"{place}/data", "-U", "assay", "--auth=trust", "--no-sync"]
    subprocess.run(make, check=True, cwd=place, stdout=subprocess.DEVNULL)
    subprocess.run([*control, "start"], check=True, cwd=place, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql://assay@/postgres?host={place}"
    finally:
        subprocess.run([*control, "-m", "fast", "stop"], check=True, cwd=place, stdout=subprocess.DEVNULL)


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
    parser.add_argument("--fill", type=int, default=0, help="units that come in between two measurements")
    parser.add_argument("--full", action="store_true", help="as --fill 10000000 --batches 100 --units 400000")
    parser.add_argument("--smoke", action="store_true", help="as --units 2000 --batches 2 --fill 4000")
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--url", default="", help="of a database that is there already, and empty")
    parser.add_argument("--check", action="store_true", help="fail where a bar is missed")
    given = parser.parse_args()
    if given.full:
        given.units, given.batches, given.fill = 400_000, 100, 10_000_000
    if given.smoke:
        given.units, given.batches, given.fill = 2_000, 2, 4_000
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR"))))
        url = given.url or f"sqlite:///{folder}/collector.db"
        url = stack.enter_context(postgresql(folder)) if given.postgres else url
        missed = run(given, folder, url)
    if given.check and missed:
        raise SystemExit(f"missed: {', '.join(missed)}")


EXPOSURES, OUTCOMES = Course("/v1/exposures", "gateway"), Course("/v1/outcomes", "application")


def reports(given: argparse.Namespace, start: int, units: int) -> list[list[bytes]]:
    """Return the bodies of each client, the numbers of its batches beginning at `start`."""
    numbers = range(start, start + given.batches)
    return [[outcome_body(c, n, given.batch, units) for n in numbers] for c in range(given.clients)]


def run(given: argparse.Namespace, folder: Path, url: str) -> list[str]:
    """Measure, compare with the bars, and return the bars that were missed."""
    exposures = list(exposure_bodies(range(given.units), given.batch))
    shares = [exposures[n :: given.clients] for n in range(given.clients)]
    outcomes = reports(given, 0, given.units)
    with collector(folder, url) as process:
        phase("exposures", process.pid, shares, EXPOSURES)
        first = phase("outcomes", process.pid, outcomes, OUTCOMES)
        phase("outcomes again: all duplicates", process.pid, outcomes, OUTCOMES)
        least = 10_000 if url.startswith("postgresql") else 20_000
        steady = OUTCOMES._replace(interval=given.batch * given.clients / least)
        more = reports(given, given.batches, given.units)
        paced = phase(f"outcomes, {least} events/s offered", process.pid, more, steady)
        last = first
        if given.fill:
            fill(given.fill, given.units)
            more = reports(given, 2 * given.batches, given.units + given.fill)
            last = phase("outcomes, filled", process.pid, more, OUTCOMES)
        summary = summaries(200)
    baseline(folder, outcomes)
    return compared(
        (
            ("events/s", first["events/s"], ">=", least),
            (f"ack p99 ms at {least} events/s", paced["ack p99 ms"], "<=", 200),
            ("rate when filled / rate when empty", last["events/s"] / first["events/s"], ">=", 0.7),
            ("memory MB", last["memory MB"], "<=", 300),
            ("summary p50 ms", summary, "<=", 5),
        )
    )


def compared(bars: tuple[tuple[str, float, str, float], ...]) -> list[str]:
    missed = []
    for name, value, sign, bar in bars:
        held = value >= bar if sign == ">=" else value <= bar
        print(f"{'held  ' if held else 'MISSED'} {name}: {value:.2f} {sign} {bar:g}")
        missed += [] if held else [name]
    return missed


if __name__ == "__main__":
    main()
