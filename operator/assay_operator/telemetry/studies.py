"""How far trainings are: their leading workers say so on a port of their pods, read in the background.

What comes from a pod is a tenant's: it is bounded in bytes and time, unencoded, and small or not believed.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assay_api import Ref
from assay_api.names import trainer_name
from assay_operator.decide import tenant_json
from assay_operator.decide.workload import PodState
from assay_operator.telemetry.http import Http, NoReplyError, pod_url

EVERY = 2.0  # seconds between two questions to a pod
AT_ONCE = 8
PORT = 9904
_DEADLINE = 1.0  # seconds for a whole answer
_LONGEST = 4096  # bytes of an answer


@dataclass
class _Known:
    ref: Ref
    progress: Mapping[str, object] = field(default_factory=dict)
    due: float = 0.0  # monotonic
    task: asyncio.Task[None] | None = None


class StudiesReader:
    """Keeps the newest word of each training, and at most one question to it under way."""

    def __init__(self, http: Http, wake: Callable[[Ref], None], port: int = PORT) -> None:
        """Take whom to tell that a training has come further."""
        self._http = http
        self._wake = wake
        self._port = port
        self._known: dict[tuple[str, str], _Known] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def read(self, version: str, ref: Ref, pods: tuple[PodState, ...]) -> Mapping[str, object]:
        """See `Studies.read`."""
        key = (ref.namespace, version)
        known = self._known.setdefault(key, _Known(ref))
        leader = leading(version, pods)
        if leader and known.task is None and time.monotonic() >= known.due:
            known.task = asyncio.create_task(self._refresh(known, leader.address))
        self._prune()
        return known.progress

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = [known.task for known in self._known.values() if known.task]
        self._known.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _prune(self) -> None:
        """Forget trainings that nobody has asked for in a while."""
        if len(self._known) > 1000:  # noqa: PLR2004
            stale = time.monotonic() - 60 * EVERY
            for key in [k for k, v in self._known.items() if v.task is None and v.due < stale]:
                del self._known[key]

    async def _refresh(self, known: _Known, address: str) -> None:
        async with self._turn:
            progress = await progress_of(self._http, address, self._port)
        changed = bool(progress) and progress != known.progress
        known.progress = progress or known.progress
        known.due, known.task = time.monotonic() + EVERY, None
        if changed:
            self._wake(known.ref)
        asyncio.get_running_loop().call_later(EVERY, self._wake, known.ref)


def leading(version: str, pods: tuple[PodState, ...]) -> PodState | None:
    """Return the worker that leads, the first of an Indexed Job; the others know of no study."""
    first = f"{trainer_name(version)}-0-"
    leaders = [pod for pod in pods if len(pods) == 1 or pod.name.startswith(first)]
    return next((p for p in leaders if p.ready and not p.terminating and p.address), None)


async def progress_of(http: Http, address: str, port: int = PORT) -> dict[str, object]:
    """Ask a pod once; return nothing if it does not answer shortly and within the bound."""
    try:
        reply = await http.request(
            "GET", pod_url(address, port, "/progress"), seconds=_DEADLINE, longest=_LONGEST
        )
    except NoReplyError:
        return {}
    return tenant_json.loads_object(reply.body) if reply.success else {}


class NoStudies:
    """Nobody tells how far a training is."""

    def read(self, version: str, ref: Ref, pods: tuple[PodState, ...]) -> Mapping[str, object]:  # noqa: ARG002
        """Return nothing."""
        return {}
