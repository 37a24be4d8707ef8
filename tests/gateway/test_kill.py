"""kill -9 of every process on the way of the data, in turn and under load; nothing counted is wrong.

What may be lost is what the killed Envoy had answered and not yet written: it writes every 100 ms.
ASSAY_KILL_ROUNDS asks for more rounds than the few of a normal run.
"""

import asyncio
import collections
import contextlib
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from assay_assign import arm_at, slot

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("ASSAY_KILL_ROUNDS", "4"))
FLUSH_SECONDS = 0.1
SLACK_SECONDS = 0.9  # an Envoy that gets no processor flushes late
CALLERS = 4
ROLES = ("operator", "gateway", "application")
UID = "exp-1"
METRICS = [
    {"name": "paid", "type": "Mean", "aggregate": "Sum", "missing": "Ignore"},
    {"name": "errors", "type": "Proportion", "source": "Gateway"},
]


class Kill(NamedTuple):
    """When Envoy was killed, and when it was surely dead."""

    sent: float
    dead: float


class Answered(NamedTuple):
    """A request that was answered: when, to whom, and since when its connection to Envoy was wanted.

    The connection tells which Envoy it was: an answer may lie in a socket while that Envoy dies.
    """

    at: float
    unit: str
    connected: float


class Pipeline:
    """Everything between a caller and the sums: Envoy, relay, shipper and collector, each a process."""

    def __init__(self, lab: Any, folder: Path, gateway: Any, relay: Any) -> None:
        self.gateway, self.relay = gateway, relay
        for role in ROLES:
            (folder / role).write_text(f"{role}-token")
        (folder / "key").write_bytes(b"a key for tests")
        self._port, shipper_port = lab.free_port(), lab.free_port()
        self._output = folder / "house.log"
        common = {
            "ASSAY_TOKENS_DIR": str(folder),
            "ASSAY_TOKEN_FILE": str(folder / "gateway"),
            "ASSAY_UNIT_KEY_FILE": str(folder / "key"),
            "ASSAY_DATABASE_URL": f"sqlite:///{folder}/collector.db",
            "ASSAY_COLLECTOR_URL": f"http://127.0.0.1:{self._port}",
            "ASSAY_EXPOSURES": gateway.edge.log_path,
        }
        collector = {"ASSAY_LISTEN_HOST": "127.0.0.1", "ASSAY_LISTEN_PORT": str(self._port)}
        self._commands = {
            "assay_collector": os.environ | common | collector,
            "assay_shipper": os.environ | common | {"ASSAY_LISTEN_PORT": str(shipper_port)},
        }
        self.processes = {name: self._started(name) for name in self._commands}
        self.kills: list[Kill] = []

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        with self._output.open("ab") as output:
            command = [sys.executable, "-m", name]
            return subprocess.Popen(command, env=self._commands[name], stdout=output, stderr=output)

    def kill(self, name: str) -> None:
        """Kill one of them and start it again."""
        if name == "envoy":
            sent = time.time()
            self.gateway.envoy.kill()
            self.kills.append(Kill(sent, time.time()))
            self.gateway.envoy.start()
        elif name == "relay":
            self.relay.kill()
            self.relay.start()
        else:
            self.processes[name].kill()
            self.processes[name].wait()
            self.processes[name] = self._started(name)

    def client(self, role: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {role}-token"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}", headers=headers, timeout=10)

    def stop(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
async def pipeline(lab: Any, tmp_path: Path) -> AsyncIterator[Pipeline]:
    async with lab.relayed(tmp_path) as (gateway, relay):
        built = Pipeline(lab, tmp_path, gateway, relay)
        yield built
        built.stop()


class Traffic:
    """Callers and an application that never give up.

    Attributes:
        answered: Requests that were answered, by their ids.
        confirmed: Acknowledged outcomes, by unit.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.answered: dict[str, Answered] = {}
        self.confirmed: collections.Counter[str] = collections.Counter()
        self._units = (f"u{number}" for number in itertools.count())
        self.stopped = False

    async def call(self) -> None:
        while not self.stopped:
            connected, caller = time.time(), self._pipeline.gateway.caller()
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._talk(caller, connected)
            await caller.close()
            await asyncio.sleep(0.02)

    async def _talk(self, caller: Any, connected: float) -> None:
        while not self.stopped:
            unit = next(self._units)
            answer = await caller.ask("churn.demo", unit)
            if answer.status == 200:
                self.answered[answer.headers["x-request-id"]] = Answered(time.time(), unit, connected)
            await asyncio.sleep(0.002)

    async def tell(self) -> None:
        async with self._pipeline.client("application") as client:
            for number in itertools.count():
                units = [each.unit for each in [*self.answered.values()][-20:]]
                batch = [
                    {"model": "demo/churn", "unit": unit, "metric": "paid", "value": 0.5, "id": f"{number}"}
                    for unit in dict.fromkeys(units)
                ]
                while batch and not await acknowledged(client, batch):
                    await asyncio.sleep(0.05)
                self.confirmed.update(str(outcome["unit"]) for outcome in batch)
                if self.stopped:
                    return
                await asyncio.sleep(0.02)


async def acknowledged(client: httpx.AsyncClient, batch: list[dict[str, Any]]) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await client.post("/v1/outcomes", json=batch)).is_success
    return False


async def summary(pipeline: Pipeline) -> dict[str, Any]:
    async with pipeline.client("operator") as client:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.get(f"/v1/experiments/{UID}/summary")
            return dict(answer.json()) if answer.is_success else {}
    return {}


async def declare(pipeline: Pipeline, table: str) -> bool:
    definition = {"namespace": "demo", "name": "e", "model": "churn", "arms": ["control", "boosted"]}
    async with pipeline.client("operator") as client:
        with contextlib.suppress(httpx.TransportError):
            body = definition | {"metrics": METRICS, "table": table}
            return (await client.put(f"/v1/experiments/{UID}", json=body)).is_success
    return False


def logged(path: str) -> dict[str, str]:
    """Return the unit of each request in the log; a line that a kill cut is no line."""
    found = {}
    for line in Path(path).read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line[max(0, line.rfind(b'{"')) :])
            found[record["id"]] = record["unit"]
    return found


async def test_kill_9_of_each_process_in_turn_loses_only_what_envoy_had_not_written(
    lab: Any, pipeline: Pipeline, servers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    v1, v2 = servers
    split = lab.split({"control": v1.backend, "boosted": v2.backend}, 50)
    await lab.until(lambda: declare(pipeline, "control:0-5000,boosted:5000-10000"), 60)
    await pipeline.gateway.publish(lab.churn(v1.backend, split))
    traffic, dice = Traffic(pipeline), random.Random(11)
    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(traffic.call())
        group.create_task(traffic.tell())
        for turn in range(ROUNDS):
            before, until = len(traffic.answered), time.monotonic() + dice.uniform(0.2, 0.8)
            await lab.until(lambda: len(traffic.answered) > before + 50 and time.monotonic() > until, 60)  # noqa: B023
            await asyncio.to_thread(
                pipeline.kill, ("envoy", "assay_shipper", "assay_collector", "relay")[turn % 4]
            )
        traffic.stopped = True
    lines = await settled(lab, pipeline)
    lost = {request for request in traffic.answered if request not in lines}
    ages = [age(pipeline.kills, traffic.answered[request]) for request in lost]
    with capsys.disabled():
        worst = f"{max(ages, default=0) * 1e3:.0f} ms before it"
        print(f"\n{len(pipeline.kills)} kills of Envoy lost {len(lost)} of {len(traffic.answered)}: {worst}")
    assert max(ages, default=0) <= FLUSH_SECONDS + SLACK_SECONDS
    assert_recounted(await summary(pipeline), split, lines, traffic.confirmed)


def age(kills: list[Kill], lost: Answered) -> float:
    """Return how long before its Envoy was killed a request was answered; without a kill none may be lost."""
    return min((kill.sent - lost.at for kill in kills if kill.dead >= lost.connected), default=float("inf"))


async def settled(lab: Any, pipeline: Pipeline) -> dict[str, str]:
    """Wait until the collector has every line of the log that is of an arm; return the log."""
    await asyncio.sleep(2 * FLUSH_SECONDS)

    async def arrived() -> bool:
        arms = (await summary(pipeline)).get("arms", {})
        return int(sum(arm["exposures"] for arm in arms.values())) >= len(
            logged(pipeline.gateway.edge.log_path)
        )

    await lab.until(arrived, 60)
    return logged(pipeline.gateway.edge.log_path)


def assert_recounted(
    found: dict[str, Any], split: Any, lines: dict[str, str], confirmed: collections.Counter[str]
) -> None:
    """Count units, exposures and outcomes again from the log and from what was acknowledged."""
    for name in ("control", "boosted"):
        mine = [unit for unit in lines.values() if arm_at(split.table, slot(UID, unit)) == name]
        values = [0.5 * confirmed[unit] for unit in set(mine) if confirmed[unit]]
        arm = found["arms"][name]
        assert (arm["exposures"], arm["units"]) == (len(mine), len(set(mine)))
        paid = arm["metrics"]["paid"]
        assert (paid["n"], paid["sum"], paid["sumsq"]) == (
            len(values),
            sum(values),
            sum(v * v for v in values),
        )
        assert arm["metrics"]["errors"]["n"] == len(set(mine))
    assert found["checks"]["auditMismatches"] == 0
