"""Candidates for one Lease in virtual time: an hour takes a second, and every run can be repeated."""

import asyncio
import contextlib
import heapq
import math
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from assay_operator.kube import Body
from assay_operator.kube.lease import Leadership, LeaseUnavailable, Timing

LOOK_SECONDS = 0.05


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when nothing else is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:  # type: ignore[attr-defined]
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(self._scheduled)._scheduled = False  # type: ignore[attr-defined]
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._virtual = max(self._virtual, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def in_virtual_time(program: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(program())


def now() -> float:
    return asyncio.get_running_loop().time()


class Server:
    """One Lease with optimistic concurrency, as an API server keeps it."""

    def __init__(self, lease: Body | None) -> None:
        self.version = 1
        self.lease: Body | None = None
        self.commits: list[tuple[float, str]] = []
        if lease is not None:
            self.put(dict(lease["spec"]), "chart")

    def put(self, spec: dict[str, Any] | None, who: str) -> Body | None:
        self.version += 1
        self.lease = spec and {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        if spec == {}:
            self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": {}}
        self.commits.append((now(), who))
        return self.lease

    def holder(self) -> str | None:
        return self.lease["spec"].get("holderIdentity") if self.lease else None


@dataclass
class Network:
    """The way of one candidate to the server: slow, lossy, cut, or its process stands still."""

    server: Server
    who: str
    chance: random.Random
    latency: float = 0.01  # the mean of one way
    loss: float = 0.0  # of a request or of an answer
    cut: bool = False
    running: asyncio.Event = field(default_factory=asyncio.Event)
    dead: bool = False

    def __post_init__(self) -> None:
        self.running.set()

    def mend(self) -> None:
        self.cut = False

    async def read(self) -> Body | None:
        return await self._ask(lambda: self.server.lease)

    async def create(self, spec: Body) -> Body | None:
        return await self._ask(lambda: None if self.server.lease else self.server.put(dict(spec), self.who))

    async def replace(self, lease: Body, spec: Body) -> Body | None:
        return await self._ask(lambda: self._replaced(lease, spec))

    def _replaced(self, lease: Body, spec: Body) -> Body | None:
        current = self.server.lease
        if not current or current["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            return None
        return self.server.put(dict(spec), self.who)

    async def _ask(self, effect: Callable[[], Body | None]) -> Body | None:
        """Go there and back; a request that its sender gave up may still arrive, and does its work then."""
        done = asyncio.ensure_future(self._way(effect))
        done.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            answer = await asyncio.shield(done)
        finally:
            await self._stand_still()
        return answer

    async def _way(self, effect: Callable[[], Body | None]) -> Body | None:
        await self._stand_still()
        if self.dead:
            raise LeaseUnavailable("there is no process that could ask")
        await self._one_way()
        answer = effect()
        await self._one_way()
        return answer

    async def _one_way(self) -> None:
        await asyncio.sleep(self.chance.expovariate(1 / self.latency))
        if self.cut:
            await asyncio.sleep(60)  # silence: no packet, and no refusal either
            raise LeaseUnavailable("cut")
        if self.chance.random() < self.loss:
            raise LeaseUnavailable("connection reset")

    async def _stand_still(self) -> None:
        await self.running.wait()


@dataclass
class Candidate:
    """A replica: its clock starts anywhere and runs unevenly, its process can stand still or be killed."""

    name: str
    network: Network
    leadership: Leadership
    task: asyncio.Task[None]

    def kill(self) -> None:
        """As kill -9: what is on its way may still arrive, nothing else happens."""
        self.task.cancel()
        self.network.dead = True

    @property
    def alive(self) -> bool:
        return not self.network.dead


class Election:
    """Candidates and who of them may act, looked at every moment."""

    def __init__(self, seed: int, timing: Timing | None = None, lease: Body | None = None) -> None:
        self.chance = random.Random(seed)
        self.timing = timing or Timing()
        self.server = Server(lease if lease is not None else {"spec": {}})
        self.candidates: list[Candidate] = []
        self.holders: list[tuple[float, tuple[str, ...]]] = []  # each change of who may act

    def add(self, drift: float = 0.0) -> Candidate:
        """Start a candidate; `drift` is how much faster its clock runs than time."""
        name = f"replica-{len(self.candidates)}"
        network = Network(self.server, name, self.chance)
        offset = self.chance.uniform(0, 1e6)
        leadership = Leadership(network, name, self.timing, clock=lambda: offset + now() * (1 + drift))
        candidate = Candidate(name, network, leadership, asyncio.create_task(leadership.run()))
        self.candidates.append(candidate)
        return candidate

    def acting(self) -> tuple[str, ...]:
        """Return who may act now; a process that stands still will ask when it goes on."""
        return tuple(c.name for c in self.candidates if c.alive and c.leadership.held())

    def look(self) -> None:
        """Note who may act now.

        Raises:
            AssertionError: There are two.
        """
        acting = self.acting()
        if not self.holders or self.holders[-1][1] != acting:
            self.holders.append((now(), acting))
        assert len(acting) <= 1, f"two may act at {now():.3f}: {acting}; {self.server.commits[-6:]}"

    async def watch(self, seconds: float) -> None:
        """Look often while time passes, also right after each write of the Lease."""
        end = now() + seconds
        while now() < end:
            self.look()
            await asyncio.sleep(min(LOOK_SECONDS, end - now()))
        self.look()

    async def until_held(self, patience: float = 30.0) -> Candidate:
        """Wait until somebody may act, and return them."""
        end = now() + patience
        while not self.acting():
            assert now() < end, f"nobody acts for {patience} s: {self.server.lease}"
            await self.watch(LOOK_SECONDS)
        return next(c for c in self.candidates if c.name == self.acting()[0])

    async def close(self) -> None:
        """End every candidate."""
        for candidate in self.candidates:
            candidate.network.running.set()
            candidate.task.cancel()
        for candidate in self.candidates:
            with contextlib.suppress(asyncio.CancelledError):
                await candidate.task

    def longest_gap(self) -> float:
        """Return the longest time in which nobody might act."""
        gaps = [
            later - at
            for (at, acting), (later, _) in zip(self.holders, self.holders[1:], strict=False)
            if not acting
        ]
        return max(gaps, default=math.nan)
