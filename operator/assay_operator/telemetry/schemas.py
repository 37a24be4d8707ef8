"""What versions take, as their predictors say at `/schema`; each version is asked once, in the background.

What comes from a pod is a tenant's: it is bounded in bytes and time, unencoded, and a schema or not believed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from assay_api import Ref
from assay_operator.decide import tenant_json
from assay_operator.decide.schema import PENDING, Schema, read
from assay_operator.gateway import Endpoint
from assay_operator.telemetry.http import Http, NoReplyError, TooLongError, pod_url

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds between two questions to a version
TRIES = 5  # then it is one without a schema: no pod can hold up an Experiment for ever
AT_ONCE = 8
_DEADLINE = 2.0  # seconds for a whole answer
_LONGEST = 2**20  # bytes of an answer
_SERVER_ERRORS = 500


@dataclass
class _Known:
    ref: Ref
    schema: Schema | None = PENDING
    tries: int = 0
    due: float = 0.0  # monotonic
    task: asyncio.Task[None] | None = None


class SchemasReader:
    """Keeps the schema of each version, and at most one question to it under way."""

    def __init__(self, http: Http, wake: Callable[[Ref], None]) -> None:
        """Take whom to tell that a schema is known."""
        self._http = http
        self._wake = wake
        self._known: dict[str, _Known] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    def read(self, uid: str, ref: Ref, endpoints: tuple[Endpoint, ...]) -> Schema | None:
        """See `Schemas.read`."""
        known = self._known.setdefault(uid, _Known(ref))
        idle = known.schema is PENDING and known.task is None and time.monotonic() >= known.due
        if idle and endpoints:
            known.task = asyncio.create_task(self._ask(uid, known, endpoints[known.tries % len(endpoints)]))
        self._prune()
        return known.schema

    async def close(self) -> None:
        """Ask nobody any more."""
        tasks = [known.task for known in self._known.values() if known.task]
        self._known.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _prune(self) -> None:
        """Forget the oldest that are not being asked; who wants them again asks again."""
        if (many := len(self._known) - 1000) > 0:
            for uid in [uid for uid, known in self._known.items() if known.task is None][:many]:
                del self._known[uid]

    async def _ask(self, uid: str, known: _Known, endpoint: Endpoint) -> None:
        async with self._turn:
            answer = await schema_of(self._http, endpoint)
        known.tries += 1
        if answer is not None or known.tries >= TRIES:
            known.schema = read(answer) if answer else None
            if known.schema is None:
                log.warning("%s: version %s tells no schema, so none is compared", known.ref, uid)
        known.due, known.task = time.monotonic() + EVERY, None
        wait = EVERY if known.schema is PENDING else 0.0
        asyncio.get_running_loop().call_later(wait, self._wake, known.ref)


async def schema_of(http: Http, endpoint: Endpoint) -> dict[str, object] | None:
    """Ask a pod once; return what it answers, nothing if it has no schema, None if it does not answer."""
    url = pod_url(endpoint.address, endpoint.port, "/schema")
    try:
        reply = await http.request("GET", url, seconds=_DEADLINE, longest=_LONGEST)
    except TooLongError:
        return {}
    except NoReplyError:
        return None
    if reply.status >= _SERVER_ERRORS:  # it may not be loaded yet
        return None
    return tenant_json.loads_object(reply.body) if reply.success else {}


class NoSchemas:
    """Nobody tells what a version takes."""

    def read(self, uid: str, ref: Ref, endpoints: tuple[Endpoint, ...]) -> Schema | None:  # noqa: ARG002
        """Return nothing."""
        return None
