"""A gateway on loopback: Envoy processes, model servers that can misbehave, and callers."""

import asyncio
import collections
import contextlib
import itertools
import json
import os
import random
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from assay_api import Ref
from assay_assign import table
from assay_operator.gateway import (  # noqa: F401  Shadow is for the tests
    ArmRoute,
    Backend,
    Edge,
    Endpoint,
    ModelRoute,
    Shadow,
    Split,
    bootstrap,
)
from assay_operator.xds import AdsServer

GIVEN: set[int] = set()
ENVOY = os.path.join(sysconfig.get_path("scripts"), "envoy")


def free_port() -> int:
    """Return a loopback port that was not given out before, and that no outgoing connection will take."""
    while True:
        port = random.randrange(12_000, 32_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in GIVEN:
                GIVEN.add(port)
                return port


class Envoy:
    """A gateway process with one worker."""

    def __init__(self, folder: Path, xds_port: int, node: str) -> None:
        self.node, self.admin, self.stats = node, free_port(), free_port()
        text = bootstrap(
            "127.0.0.1", xds_port, admin_port=self.admin, stats_port=self.stats, stats_host="127.0.0.1"
        )
        self.config = folder / f"{node}.yaml"
        self.config.write_text(yaml.safe_dump(text))
        self.output = folder / f"{node}.log"
        self.start()

    def start(self) -> None:
        """Start it; again after `kill`."""
        command = [ENVOY, "-c", str(self.config), "--service-node", self.node, "--service-cluster", "assay"]
        command += ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--file-flush-interval-msec", "100"], stdout=output, stderr=output
            )

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not help."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def get(self, path: str) -> str:
        """Read a page of the admin interface."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as reply:
            return str(reply.read().decode())

    def stat(self, name: str) -> int:
        """Return one counter or gauge, 0 before there is one."""
        with contextlib.suppress(OSError, IndexError):
            return int(self.get(f"/stats?filter=^{name}$").rsplit(":", 1)[1])
        return 0

    def post(self, path: str) -> None:
        """Ask the admin interface to do something."""
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", method="POST"))

    def cpu_seconds(self) -> float:
        """Return user and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self) -> int:
        """Return resident memory."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )


@contextlib.contextmanager
def envoy(folder: Path, xds_port: int, node: str = "edge-1") -> Iterator[Envoy]:
    """Run a gateway."""
    process = Envoy(folder, xds_port, node)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.stop()


class Relay:
    """The process between Envoy and the operator; `peer` is the port of another one's answers to it."""

    def __init__(self, folder: Path, operator_port: int, peer: int = 0, token: str = "a token") -> None:
        self.port, self.metrics, self.peers = free_port(), free_port(), free_port()
        (folder / "token").write_text(f"{token}\n")
        self.memory, self.output = folder / "memory" / "last", folder / "relay.log"
        self.memory.parent.mkdir(exist_ok=True)
        self.environment = os.environ | {
            "ASSAY_OPERATOR_ADDRESS": f"127.0.0.1:{operator_port}",
            "ASSAY_RELAY_PORT": str(self.port),
            "ASSAY_MEMORY": str(self.memory),
            "ASSAY_LISTEN_PORT": str(self.metrics),
            "ASSAY_SAVE_SECONDS": "0.05",
            "ASSAY_PEERS_ADDRESS": f"127.0.0.1:{peer or free_port()}",
            "ASSAY_PEERS_PORT": str(self.peers),
            "ASSAY_TOKEN_FILE": str(folder / "token"),
        }
        self.start()

    def start(self) -> None:
        """Start it; again after `kill`."""
        command = [sys.executable, "-m", "assay_relay"]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=output)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def metric(self, name: str) -> float:
        """Return one of its metrics, -1 while it does not answer."""
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=5) as reply:
                page = reply.read().decode()
            values = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
            return float(values[name])
        return -1


class Answer(NamedTuple):
    """What a caller got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def arm(self) -> str:
        return self.headers.get("x-assay-arm", "")

    @property
    def version(self) -> str:
        return self.headers.get("x-assay-version", "")

    def json(self) -> Any:
        return json.loads(self.body)


async def _message(reader: asyncio.StreamReader) -> tuple[str, list[tuple[str, str]], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("utf-8", "surrogateescape").split("\r\n")
    fields = [(key.lower(), value) for key, _, value in (line.partition(": ") for line in head[1:] if line)]
    return head[0], fields, await reader.readexactly(int(dict(fields).get("content-length", 0)))


class Caller:
    """One keep-alive connection to the gateway."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, host: str, unit: str | None = None, path: str = "/predict", **extra: Any) -> Answer:
        """Send one POST; `headers` and `body` may be given."""
        headers: list[tuple[str, str]] = [*extra.get("headers", ())]
        headers += [("x-user-id", unit)] if unit is not None else []
        body: bytes = extra.get("body", b"[{}]")
        request = "".join(f"{key}: {value}\r\n" for key, value in [("host", host), *headers])
        text = f"POST {path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n{request}\r\n"
        return (await self.send([text.encode("utf-8", "surrogateescape") + body]))[0]

    async def send(self, requests: list[bytes]) -> list[Answer]:
        """Send several requests without waiting in between."""
        if self._pair is None:
            self._pair = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        reader, writer = self._pair
        writer.write(b"".join(requests))
        answers = [await self._answer(reader) for _ in requests]
        if answers[-1].headers.get("connection") == "close":
            await self.close()
        return answers

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        line, fields, body = await _message(reader)
        return Answer(int(line.split()[1]), dict(fields), body)

    async def close(self) -> None:
        """Hang up."""
        if self._pair:
            self._pair[1].close()
            with contextlib.suppress(ConnectionError):
                await self._pair[1].wait_closed()
            self._pair = None


class Model:
    """A model server that answers its own name, and misbehaves on demand.

    `mode` is one of ok, error (500), unavailable (503), crash (reads, then hangs up), hang; `fails` are units
    that get a 500; `delay` is in seconds.
    """

    def __init__(self, name: str) -> None:
        self.name, self.mode, self.delay = name, "ok", 0.0
        self.fails: set[str] = set()
        self.port = 0
        self.received: list[dict[str, str]] = []
        self.paths: collections.Counter[str] = collections.Counter()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._stopped = False

    async def start(self, port: int = 0) -> "Model":
        self._stopped = False
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Refuse and drop connections, as a process that was killed."""
        if self._server:
            self._stopped = True  # for those that were accepted, and whose turn has not come
            self._server.close()
            for writer in [*self._writers]:
                writer.transport.abort()
            await self._server.wait_closed()
            self._server = None

    @property
    def backend(self) -> Backend:
        """The version of this server's name, with this one endpoint."""
        return Backend(self.name, (Endpoint("127.0.0.1", self.port),))

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._stopped:
            writer.transport.abort()
            return
        self._writers.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while await self._exchange(reader, writer):
                pass
        self._writers.discard(writer)
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        line, fields, _ = await _message(reader)
        headers = dict(fields)
        self.received.append(headers)
        self.paths[line.split()[1]] += 1
        await asyncio.sleep(self.delay)
        if self.mode == "hang":
            await asyncio.sleep(60)
        if self.mode == "crash":
            return False
        status = {"error": 500, "unavailable": 503}.get(self.mode, 200)
        status = 500 if headers.get("x-user-id") in self.fails else status
        body = f"{self.name}\n".encode()
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return True


class Pod:
    """A model server in a process of its own, to be killed; it is behind its version's Service too."""

    def __init__(self, version: str, service: int, seconds: float = 0.0) -> None:
        self.version, self.port = version, free_port()
        program = str(Path(__file__).with_name("predictor.py"))
        self._command = [sys.executable, program, version, str(seconds), str(self.port), str(service)]

    async def start(self) -> "Pod":
        """Start it, again after `kill`; return when it answers."""
        self.process = await asyncio.create_subprocess_exec(*self._command)
        await until(lambda: answers(self.port))
        return self

    async def kill(self) -> None:
        """SIGKILL, as by the kernel when memory ends."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def leave(self) -> None:
        """SIGTERM, and SIGKILL after Envoy has given up idle connections."""
        self.process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await self.process.wait()
        await self.kill()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("127.0.0.1", self.port)


class Fleet:
    """The pods of a version and their Service."""

    def __init__(self, version: str, seconds: float = 0.0) -> None:
        self.version, self._seconds = version, seconds
        self.service = Endpoint("127.0.0.1", free_port())
        self.pods: list[Pod] = []

    async def grow(self, count: int = 1) -> None:
        """Start pods."""
        new = [Pod(self.version, self.service.port, self._seconds) for _ in range(count)]
        self.pods += await asyncio.gather(*(pod.start() for pod in new))

    async def replace(self) -> None:
        """Send the oldest pod away when there is a new one, at another address."""
        await self.grow()
        await self.pods.pop(0).leave()

    @property
    def backend(self) -> Backend:
        """What the operator says of it now."""
        return Backend(self.version, tuple(pod.endpoint for pod in self.pods), self.service)

    async def stop(self) -> None:
        """Kill all."""
        for pod in self.pods:
            await pod.kill()


@contextlib.asynccontextmanager
async def fleets(*versions: str, seconds: float = 0.0) -> AsyncIterator[list[Fleet]]:
    """Run two pods of each version."""
    made = [Fleet(version, seconds) for version in versions]
    try:
        for fleet in made:
            await fleet.grow(2)
        yield made
    finally:
        for fleet in made:
            await fleet.stop()


@contextlib.contextmanager
def silent_port() -> Iterator[Endpoint]:
    """Yield an address that neither takes nor refuses a connection, as that of a pod which is gone."""
    with socket.create_server(("127.0.0.1", free_port()), backlog=0) as full:
        address = full.getsockname()
        filling = [socket.socket() for _ in range(4)]
        for each in filling:
            each.settimeout(0)
            each.connect_ex(address)
        try:
            yield Endpoint(*address)
        finally:
            for each in filling:
                each.close()


def answers(port: int) -> bool:
    """Return whether somebody accepts connections."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class Load:
    """Callers who ask at a steady rate, whatever the answers are."""

    def __init__(self, gateway: "Gateway", rate: float = 50.0, callers: int = 8) -> None:
        self.answers: list[tuple[str, Answer]] = []
        self._gateway, self._every, self._count = gateway, 1 / rate, callers

    async def __aenter__(self) -> "Load":
        self._free: asyncio.Queue[Caller] = asyncio.Queue()
        for _ in range(self._count):
            self._free.put_nowait(self._gateway.caller())
        self._asking: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        for number in itertools.count():
            self._asking.add(task := asyncio.create_task(self._ask(f"u{number}")))
            task.add_done_callback(self._asking.discard)
            await asyncio.sleep(self._every)

    async def _ask(self, unit: str) -> None:
        caller = await self._free.get()
        try:
            self.answers.append((unit, await caller.ask("churn.demo", unit)))
        finally:
            self._free.put_nowait(caller)

    async def more(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.answers) + count
        await until(lambda: len(self.answers) >= wanted, 60)

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(*self._asking)

    @property
    def failed(self) -> list[tuple[str, int, bytes]]:
        """Answers that are no prediction."""
        return [(unit, each.status, each.body) for unit, each in self.answers if each.status != 200]


@contextlib.asynccontextmanager
async def models(*names: str) -> AsyncIterator[list[Model]]:
    """Run model servers."""
    running = [await Model(name).start() for name in names]
    try:
        yield running
    finally:
        for model in running:
            await model.stop()


def split(
    arms: dict[str, Backend],
    percent: float = 50,
    *,
    uid: str = "exp-1",
    weights: Iterable[int] = (),
    epoch: int = 1,
) -> Split:
    """Return an Experiment between arms, equal unless `weights` say otherwise."""
    shares = dict(zip(arms, tuple(weights) or [100 // len(arms)] * len(arms), strict=True))
    routes = tuple(ArmRoute(name, backend) for name, backend in arms.items())
    return Split(uid, epoch, "x-user-id", routes, table(shares, percent))


def churn(champion: Backend, running: Split | None = None, **extra: Any) -> ModelRoute:
    """Return the route of demo/churn."""
    return ModelRoute("demo", "churn", champion, running, **extra)


def records(path: Path) -> list[dict[str, Any]]:
    """Return the exposure log so far."""
    return [json.loads(line) for line in path.read_text().splitlines()]


async def until(condition: Any, seconds: float = 15) -> Any:
    """Wait until a condition holds, sync or async; return its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        value = await value if asyncio.iscoroutine(value) else value
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {condition}")
        await asyncio.sleep(0.02)


def edge(folder: Path) -> Edge:
    """Return a gateway's settings for loopback."""
    return Edge(port=free_port(), host="127.0.0.1", log_path=str(folder / "exposures.jsonl"))


class Gateway:
    """A control plane in this process and one Envoy that it programs."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder, self.edge, self.options = folder, edge(folder), options
        self.xds_port = free_port()
        self.ads = AdsServer(self.edge, **options)
        self.envoy: Envoy
        self.callers: list[Caller] = []

    async def publish(self, route: ModelRoute, seconds: float = 10) -> None:
        """Publish a route and wait until it is in force."""
        ref = Ref(route.namespace, route.name)
        await self.ads.publish(ref, route)
        programmed = await self.ads.wait_programmed(ref, seconds)
        assert programmed.done, programmed

    async def restart_operator(self, *routes: ModelRoute) -> None:
        """Replace the control plane by one that knows nothing but these routes."""
        await self.ads.stop()
        self.ads = AdsServer(self.edge, **self.options)
        for route in routes:
            await self.ads.publish(Ref(route.namespace, route.name), route)
        await self.ads.start(self.xds_port, "127.0.0.1")

    def caller(self) -> Caller:
        self.callers.append(Caller(self.edge.port))
        return self.callers[-1]

    async def close(self) -> None:
        """Hang up, and stop the control plane."""
        for caller in self.callers:
            await caller.close()
        await self.ads.stop()

    async def ready(self) -> bool:
        """Return whether the readiness probe of the pod would pass."""
        try:
            return (await self.caller().ask("10.1.2.3:8080", path="/assay-ready")).status == 200
        except ConnectionError:
            return False

    async def log(self, count: int) -> list[dict[str, Any]]:
        """Return the exposure log once it has `count` lines."""
        path = Path(self.edge.log_path)
        await until(lambda: path.exists() and len(path.read_text().splitlines()) >= count)
        return records(path)


@contextlib.asynccontextmanager
async def relayed(folder: Path, **options: Any) -> AsyncIterator[tuple[Gateway, Relay]]:
    """Run a control plane, a relay, and a gateway that knows only the relay."""
    lab = Gateway(folder, **options)
    relay = Relay(folder, lab.xds_port)
    await lab.ads.start(lab.xds_port, "127.0.0.1")
    try:
        with envoy(folder, relay.port) as lab.envoy:
            yield lab, relay
    finally:
        await lab.close()
        relay.process.terminate()
        relay.process.wait(15)


@contextlib.asynccontextmanager
async def gateway(folder: Path, **options: Any) -> AsyncIterator[Gateway]:
    """Run a control plane and a gateway."""
    lab = Gateway(folder, **options)
    await lab.ads.start(lab.xds_port, "127.0.0.1")
    with envoy(folder, lab.xds_port) as lab.envoy:
        try:
            yield lab
        finally:
            await lab.close()
