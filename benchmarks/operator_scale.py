"""A thousand Models and Experiments on a real API server: how fast, how big and how quiet the operator is.

Run: `python benchmarks/operator_scale.py [--models 1000] [--finished 5000]`. etcd, the API server, the
collector and the operator are the real processes. No pods run: the benchmark writes what the controllers of
Deployments and EndpointSlices would (`scale_parts/nodes.py`), and is the one gateway: it acknowledges all.

First the operator makes everything from bare Models, and an edit of each starts its Experiment. Then,
without and with 5,000 finished Experiments more, the same is measured for the operator and for a bare kopf
operator that watches the same kinds and does nothing (`scale_parts/bare_kopf.py`):

- cold start: from the start of the process until every status is as it should be. Every Model was edited
  while no operator ran: each has a new generation to observe, to publish and to write down, must be Ready
  (the gateway has acknowledged) and have its Experiment Running. For the peer: until it has received every
  object once.
- idle: processor time over 30 s in which nothing changes, as part of one core; resident memory after the
  edits.
- one change: from sending an edit of one Model until its status says that it is observed. For the peer:
  until its handler is called.

Times depend on what else the machine does, processor times much less: where it is busy, compare them, and
with those of the peer in the same run. Both processes import compiled modules, as they do in the images.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "hack"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests/support"))
from ads_client import FollowingGateway
from api_objects import connect, install_crds
from cluster import control_plane
from operator_process import SYSTEM, OperatorProcess, collector, operator
from scale_parts.api import OURS, Api, Body, connected, together
from scale_parts.board import Board
from scale_parts.nodes import Nodes

MODELS_PER_NAMESPACE = 100
MILLISECONDS = itertools.count(5000)
COUNTED = (
    r'^(?:assay_reconcile_duration_seconds_count\{kind="Model",result="ok"\}'
    r'|assay_api_requests_total\{code="2xx",verb="(\w+)"\}) (\S+)$'
)
PATIENCE = 1200.0  # seconds for each phase: then it has failed
QUIET, SETTLE = 5.0, 90.0  # seconds without a change; at most so long
PEER_KINDS = {
    f"{OURS}/models": "",
    f"{OURS}/modelversions": "",
    f"{OURS}/experiments": "",
    "/apis/apps/v1/deployments": "assay.dev/model",
    "/apis/batch/v1/jobs": "assay.dev/model",
    "/api/v1/pods": "assay.dev/role",
    "/api/v1/services": "assay.dev/model",
    "/apis/discovery.k8s.io/v1/endpointslices": "assay.dev/model",
    "/api/v1/persistentvolumeclaims": "assay.dev/model",
    "/apis/autoscaling/v2/horizontalpodautoscalers": "assay.dev/model",
    "/apis/policy/v1/poddisruptionbudgets": "assay.dev/model",
}
"""What the peer watches, with the label that it filters by."""
TEMPLATE = {
    "ramp": [{"percent": 50, "minDuration": "1d"}],
    "metrics": {
        "primary": {"name": "right", "missing": "Ignore"},
        "guardrails": [{"name": "errors", "source": "Gateway", "margin": {"absolute": 0.02}}],
    },
    "decision": {"minDuration": "7d", "maxDuration": "28d"},
}


class Figures(NamedTuple):
    """What is measured of one process; seconds, megabytes, percent of a core, milliseconds."""

    cold: float
    cold_work: float
    imports: float
    memory: float
    idle: float
    median: float
    p99: float
    work: float


NONE = float("nan")
BARS = Figures(30, NONE, NONE, 256, 1, NONE, 100, NONE)
UNITS = (
    "cold start, s",
    "  processor time of it, s",
    "  of which imports, s",
    "memory, MB",
    "idle, % of a core",
    "one change, median, ms",
    "one change, p99, ms",
    "  processor time of it, ms",
)


class Candidate(Protocol):
    """A process that is measured."""

    def start(self) -> int:
        """Start it, return its pid."""

    async def converged(self) -> float:
        """Return when it had done all there was to do after the start, by the monotonic clock."""

    async def edited(self, model: str) -> float:
        """Edit a Model; return the seconds until that was handled."""

    def imports(self) -> float:
        """Return the seconds of processor time that a process takes to import what it consists of."""

    def passes(self) -> str:
        """Say how often it looked at Models, and what it asked of the API server; empty if it does not."""

    def stop(self) -> None:
        """End it."""


@dataclass
class World:
    """Everything that the candidates have in common."""

    api: Api
    board: Board
    names: list[str]

    async def make(self) -> None:
        """Create the namespaces and the bare Models."""
        namespaces = sorted({SYSTEM, *(name.partition("/")[0] for name in self.names)})
        await together(
            lambda name: self.api.create("/api/v1/namespaces", {"metadata": {"name": name}}), namespaces
        )
        await together(lambda name: self.api.create(collection("models", name), _model(name)), self.names)

    async def edit(self, change: Body) -> None:
        """Change the spec of every Model."""
        await together(lambda name: self.api.merge(path("models", name), {"spec": change}), self.names)

    async def finish(self, count: int) -> None:
        """Add finished Experiments: copies of one that the operator has ended itself."""
        ended = await self.api.list(path("experiments", self._ended()))
        await together(lambda index: self._copy(ended, index), range(count))

    async def end_one(self) -> None:
        """Abort the Experiment of the first Model, and wait for its end."""
        name = next(iter(sorted(self.board.objects["experiments"])))
        await self.api.merge(
            path("experiments", name), {"metadata": {"annotations": {"assay.dev/abort": "enough"}}}
        )
        await self.board.until(lambda _: bool(self._ended()), 60, lambda _: f"{name} does not end")
        await self.board.quiet(QUIET, 20)

    def _ended(self) -> str:
        found = self.board.objects["experiments"].items()
        return next((name for name, item in found if item.decided), "")

    async def _copy(self, ended: Body, index: int) -> None:
        model = ended["spec"]["modelRef"]["name"]
        target = self.names[index % len(self.names)]
        text = json.dumps({"spec": ended["spec"], "status": ended["status"]})
        body = json.loads(text.replace(f'"{model}-', f'"{target.partition("/")[2]}-'))
        body["spec"]["modelRef"]["name"] = target.partition("/")[2]
        name = f"past-{index}"
        await self.api.create(
            collection("experiments", target), _object("Experiment", name, {"spec": body["spec"]})
        )
        there = f"{collection('experiments', target)}/{name}/status"
        await self.api.merge(there, {"status": body["status"]})

    def serves(self, board: Board) -> bool:
        """Tell whether every Model is ready and has observed its newest generation."""
        return sum(self._current(board)) == len(self.names)

    def splits(self, board: Board) -> bool:
        """Tell whether, besides, an Experiment of each has started or ended."""
        begun = [e for e in board.objects["experiments"].values() if e.phase == "Running" or e.decided]
        return len(begun) >= len(self.names) and self.serves(board)

    def progress(self, board: Board) -> str:
        """Say how far it is."""
        begun = [e for e in board.objects["experiments"].values() if e.phase == "Running" or e.decided]
        return f"{sum(self._current(board))} Models current and ready, {len(begun)} Experiments begun"

    def _current(self, board: Board) -> Iterator[bool]:
        return (m.observed == m.generation and m.ready == "True" for m in board.objects["models"].values())


@dataclass
class Assay:
    """The operator itself."""

    world: World
    process: OperatorProcess

    def start(self) -> int:
        """See `Candidate`."""
        self.process.start(wait=False)
        return self.process.pid

    async def converged(self) -> float:
        """See `Candidate`."""
        return await self.world.board.until(self.world.splits, PATIENCE, self.world.progress)

    async def edited(self, model: str) -> float:
        """See `Candidate`."""
        generation = self.world.board.objects["models"][model].generation + 1
        future, begin = self.world.board.observed(model, generation), time.monotonic()
        await self.world.api.merge(path("models", model), _timeout())
        return await asyncio.wait_for(future, 30) - begin

    def imports(self) -> float:
        """See `Candidate`."""
        return _imports("import assay_operator.main")

    def passes(self) -> str:
        """See `Candidate`."""
        found = re.findall(COUNTED, self.process.get("/metrics"), re.MULTILINE)
        return ", ".join(f"{word or 'passes'} {float(count):.0f}" for word, count in found)

    def stop(self) -> None:
        """See `Candidate`."""
        self.process.stop()


@dataclass
class Peer:
    """The bare kopf operator."""

    world: World
    kubeconfig: Path
    log: Path
    _running: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """See `Candidate`."""
        with self.log.open("wb") as output, (self.log.parent / "peer.errors").open("wb") as errors:
            command = [sys.executable, str(Path(__file__).parent / "scale_parts/bare_kopf.py")]
            environment = {**_environment(), "KUBECONFIG": str(self.kubeconfig)}
            self._running = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
        return self._running.pid

    async def converged(self) -> float:
        """See `Candidate`."""
        total = 0
        for where, label in PEER_KINDS.items():
            total += len((await self.world.api.list(where, label))["items"])
        return await self._line("ready", str(total))

    async def edited(self, model: str) -> float:
        """See `Candidate`."""
        begin = time.monotonic()
        made = await self.world.api.merge(path("models", model), _timeout())
        return await self._line("changed", model, str(made["metadata"]["generation"])) - begin

    def imports(self) -> float:
        """See `Candidate`."""
        return _imports("import kopf")

    def passes(self) -> str:
        """See `Candidate`."""
        return ""

    def stop(self) -> None:
        """See `Candidate`."""
        if self._running:
            self._running.terminate()
            self._running.wait(20)

    async def _line(self, *words: str) -> float:
        """Wait for a line that begins so; return the time in it, or when it was found."""
        wanted, end = " ".join(words).encode(), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in reversed(self.log.read_bytes()[-4096:].splitlines()):
                if line == wanted:
                    return time.monotonic()
                if line.startswith(wanted + b" ") and line.count(b" ") == len(words):
                    return float(line.rpartition(b" ")[2])
            await asyncio.sleep(0.005)
        raise TimeoutError(f"the peer never printed {wanted.decode()}")


async def measure(candidate: Candidate, world: World, options: argparse.Namespace) -> Figures:
    """Start it, let it settle, leave it alone, and edit one Model after the other."""
    begin = time.monotonic()
    process = psutil.Process(candidate.start())
    try:
        cold = await candidate.converged() - begin
        cold_work = _work(process)
        counted = await asyncio.to_thread(candidate.passes)
        await world.board.quiet(QUIET, SETTLE)
        idle = await _idle(process, options.idle)
        before, chosen = _work(process), random.choices(world.names, k=options.edits)
        delays = [await candidate.edited(name) for name in chosen]
        work = (_work(process) - before) / len(delays) * 1e3
        memory = process.memory_info().rss / 1e6
    finally:
        candidate.stop()
    if counted:
        say(f"until it had converged: {counted}")
    in_order = sorted(delay * 1e3 for delay in delays)
    p99 = in_order[min(len(in_order) - 1, int(len(in_order) * 0.99))]
    return Figures(cold, cold_work, candidate.imports(), memory, idle, statistics.median(in_order), p99, work)


async def _idle(process: psutil.Process, seconds: float) -> float:
    """Return the processor time that it takes, in percent of a core."""
    before = _work(process)
    await asyncio.sleep(seconds)
    return (_work(process) - before) / seconds * 100


def _work(process: psutil.Process) -> float:
    """Return the processor time that it has taken so far, in seconds; other load does not change it much."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _imports(statement: str) -> float:
    script = f"{statement}; import time; print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    return float(done.stdout)


async def grow(world: World, assay: Assay) -> None:
    """Let the operator make everything from bare Models, then start an Experiment of each."""
    await world.make()
    async with asyncio.TaskGroup() as tasks:
        nodes = tasks.create_task(Nodes(world.api).run())
        begin = time.monotonic()
        process = psutil.Process(assay.start())
        served = await world.board.until(world.serves, PATIENCE, world.progress)
        work = _work(process)
        say(f"from bare Models: {len(world.names)} serve after {served - begin:.1f} s, of work {work:.1f} s")
        begin = time.monotonic()
        await world.edit({"image": {"image": "churn:2"}})
        split = await world.board.until(world.splits, PATIENCE, world.progress)
        work = _work(process) - work
        say(f"an edit of each: {len(world.names)} run after {split - begin:.1f} s, of work {work:.1f} s")
        await world.end_one()
        assay.stop()
        nodes.cancel()


async def compare(
    world: World, assay: Assay, peer: Peer, options: argparse.Namespace
) -> tuple[Figures, Figures]:
    """Measure both."""
    idle = await measure(peer, world, options)
    await world.edit(_timeout()["spec"])
    return await measure(assay, world, options), idle


def report(title: str, ours: Figures, peer: Figures) -> bool:
    """Print a table; tell whether every bar holds."""
    say(f"\n{title}\n{'':26}{'operator':>10}{'bar':>8}{'':6}{'bare kopf':>10}{'ratio':>8}")
    fine = True
    for unit, value, bar, other in zip(UNITS, ours, BARS, peer, strict=True):
        held = not value > bar
        fine = fine and held
        limit = f"{bar:8.0f}" if bar == bar else f"{'':8}"  # noqa: PLR0124  not a number has no bar
        word = "" if bar != bar else "ok" if held else "OVER"  # noqa: PLR0124
        print(
            f"{unit:26}{value:10.2f}{limit} {word:5}{other:10.2f}{value / max(other, 1e-9):8.1f}", flush=True
        )
    return fine


async def run(options: argparse.Namespace, state: Path, kubeconfig: Path, folder: Path) -> bool:
    """Measure everything; tell whether every bar holds."""
    names = [f"scale-{i // MODELS_PER_NAMESPACE:02}/m{i:04}" for i in range(options.models)]
    counts = collector(folder)
    process = operator(
        kubeconfig, folder, f"http://127.0.0.1:{counts.port}", store_uri="s3://models", log_level="WARNING"
    )
    counts.start()
    try:
        async with connected(state) as api, _watched(api) as board:
            with FollowingGateway(process.xds_port):
                world = World(api, board, names)
                assay, peer = Assay(world, process), Peer(world, kubeconfig, folder / "peer.log")
                await grow(world, assay)
                title = f"{options.models} Models, {options.models} Experiments"
                fine = report(title, *await compare(world, assay, peer, options))
                if options.finished:
                    await world.finish(options.finished)
                    title += f", {options.finished} finished Experiments more"
                    fine &= report(title, *await compare(world, assay, peer, options))
    finally:
        process.stop()
        counts.stop()
        _keep_logs(folder, options.logs)
    return fine


@asynccontextmanager
async def _watched(api: Api) -> AsyncIterator[Board]:
    board = Board(api)
    async with asyncio.TaskGroup() as tasks:  # when the watch dies, the benchmark does
        task = tasks.create_task(board.run())
        yield board
        task.cancel()


def collection(plural: str, name: str) -> str:
    """Return the path of a kind in the namespace of `namespace/name`."""
    return f"{OURS}/namespaces/{name.partition('/')[0]}/{plural}"


def path(plural: str, name: str) -> str:
    """Return the path of `namespace/name`."""
    return f"{collection(plural, name)}/{name.partition('/')[2]}"


def _object(kind: str, name: str, body: Body) -> Body:
    return {"apiVersion": "assay.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, **body}


def _model(name: str) -> Body:
    rollout = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": TEMPLATE}
    spec = {"image": {"image": "churn:1"}, "rollout": rollout}
    return _object("Model", name.partition("/")[2], {"spec": spec})


def _timeout() -> Body:
    """Return an edit that none was like before: one without effect makes no event."""
    return {"spec": {"serving": {"timeout": f"{next(MILLISECONDS)}ms"}}}


def _environment() -> dict[str, str]:
    return {**os.environ, "LOGNAME": "assay"}


def _keep_logs(folder: Path, target: Path | None) -> None:
    if target:
        target.mkdir(parents=True, exist_ok=True)
        for log in [*folder.glob("*.log"), *folder.glob("*.errors")]:
            (target / log.name).write_bytes(log.read_bytes())


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


@contextmanager
def _api_server() -> Iterator[Any]:
    with control_plane.running(controllers=False) as cluster:
        client = connect(cluster.kubeconfig)
        install_crds(client)
        client.client.close()
        yield cluster


def main() -> int:
    """Run it; 1 if a bar does not hold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000, help="and as many Experiments")
    parser.add_argument("--finished", type=int, default=5000, help="Experiments more, in the second round")
    parser.add_argument("--edits", type=int, default=300, help="of one Model at a time")
    parser.add_argument("--idle", type=float, default=30, help="seconds")
    parser.add_argument("--logs", type=Path, help="a folder to keep the logs in")
    options = parser.parse_args()
    random.seed(7)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the images hold compiled modules
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and stop what was started
    with tempfile.TemporaryDirectory(prefix="assay-scale-") as folder, _api_server() as cluster:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
        fine = asyncio.run(run(options, cluster.state, cluster.kubeconfig, Path(folder)))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
