"""What the API server says of all Models and Experiments, kept up to date by watches."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from .api import OURS, Api, Body

KINDS = ("models", "experiments")


class Observation(NamedTuple):
    """The part of an object that convergence is judged by."""

    generation: int
    observed: int
    ready: str
    phase: str
    decided: bool


@dataclass
class Board:
    """The newest of each object, by kind and `namespace/name`."""

    api: Api
    objects: dict[str, dict[str, Observation]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    changed: float = 0.0
    _awaited: dict[str, tuple[int, asyncio.Future[float]]] = field(default_factory=dict)

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as tasks:
            for kind in KINDS:
                tasks.create_task(self._follow(kind))

    async def until(
        self, claim: Callable[["Board"], bool], seconds: float, progress: Callable[["Board"], str]
    ) -> float:
        """Wait for the claim; return the monotonic time of the event that made it true.

        Raises:
            TimeoutError: says how far it came.
        """
        end = time.monotonic() + seconds
        while not claim(self):
            if time.monotonic() > end:
                raise TimeoutError(f"not there after {seconds:.0f} s: {progress(self)}")
            await asyncio.sleep(0.02)
        return self.changed

    async def quiet(self, seconds: float, limit: float) -> None:
        """Wait until nothing has changed for some seconds, at most until the limit."""
        end = time.monotonic() + limit
        while time.monotonic() < min(self.changed + seconds, end):  # noqa: ASYNC110  time is what it waits for
            await asyncio.sleep(0.1)

    def observed(self, model: str, generation: int) -> asyncio.Future[float]:
        """Return when the status of a Model says that this generation was observed."""
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._awaited[model] = (generation, future)
        return future

    async def _follow(self, kind: str) -> None:
        async for event, body in self.api.watch(f"{OURS}/{kind}"):
            key = f"{body['metadata']['namespace']}/{body['metadata']['name']}"
            self.changed = time.monotonic()
            if event == "DELETED":
                self.objects[kind].pop(key, None)
            else:
                self._take(kind, key, _observation(body))

    def _take(self, kind: str, key: str, observation: Observation) -> None:
        self.objects[kind][key] = observation
        if kind == "models" and key in self._awaited and observation.observed >= self._awaited[key][0]:
            _, future = self._awaited.pop(key)
            if not future.done():
                future.set_result(self.changed)


def _observation(body: Body) -> Observation:
    status = body.get("status", {})
    ready = next((c["status"] for c in status.get("conditions", ()) if c["type"] == "Ready"), "")
    return Observation(
        body["metadata"].get("generation", 0),
        status.get("observedGeneration", 0),
        ready,
        status.get("phase", ""),
        decided="decision" in status,
    )
