"""What a replica does when it acquires the Lease and when it loses it; a follower keeps its cache warm."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from assay_operator.manifests import Manifest

ASSERT_SECONDS = 5.0  # how often the leader repeats where it is: a late write of another one lasts no longer
RETRY_SECONDS = 1.0
STUCK_SECONDS = 5.0  # duties that have not ended so long after they should have are ended with the process

log = logging.getLogger(__name__)


class Leadership(Protocol):
    """See `kube.lease.Leadership`."""

    def held(self) -> bool:
        """Return whether this process may act now."""

    async def acquired(self) -> None:
        """Return as soon as it may act."""

    async def lost(self) -> None:
        """Return as soon as it may no longer act."""


def end_process() -> None:
    """End at once: what runs on although it was cancelled must not act."""
    os._exit(1)


@dataclass(frozen=True)
class Leader:
    """Runs the leader's duties for as long as, and whenever, this replica holds the Lease.

    Attributes:
        leadership: The Lease.
        duties: Everything that only the leader does: publish all routes, serve the gateways, work the queue,
            poll the collector. Begins from nothing each time; ends when cancelled.
        on_loss: Called when they have ended: drops what a follower must not show.
        give_up: Called when they do not end.
    """

    leadership: Leadership
    duties: Callable[[], Awaitable[None]]
    on_loss: Callable[[], None]
    give_up: Callable[[], None] = end_process

    async def run(self) -> None:
        """Act, or wait for the turn to act, until cancelled.

        Raises:
            Exception: What the duties raise; the process had better start anew.
        """
        while True:
            await self.leadership.acquired()
            log.info("acting")
            await self._act()
            log.warning("no longer acting: following")
            self.on_loss()

    async def _act(self) -> None:
        duties = asyncio.ensure_future(self.duties())
        lost = asyncio.create_task(self.leadership.lost())
        try:
            await asyncio.wait((duties, lost), return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            await self._end(duties)
        if not duties.cancelled():
            duties.result()

    async def _end(self, duties: asyncio.Future[None]) -> None:
        duties.cancel()
        _, running = await asyncio.wait((duties,), timeout=STUCK_SECONDS)
        if running:
            log.critical("duties did not end within %.0f s of being cancelled", STUCK_SECONDS)
            self.give_up()


async def announce(
    apply: Callable[[Manifest], Awaitable[Any]], leadership: Leadership, manifest: Manifest
) -> None:
    """Lead the Service to this replica, and repeat it for ever; one of the leader's duties.

    It begins when the gateways are served, so that none comes too early.
    """
    while True:
        wait = ASSERT_SECONDS
        if leadership.held():
            try:
                await apply(manifest)
            except Exception:  # gateways do not find us until it succeeds
                log.exception("could not write EndpointSlice %s", manifest["metadata"]["name"])
                wait = RETRY_SECONDS
        await asyncio.sleep(wait)


def leader_only(
    leadership: Leadership, answer: Callable[[Request], Awaitable[Response]]
) -> Callable[[Request], Awaitable[Response]]:
    """Return `answer`, but with 503 on a follower; callers such as Alertmanager try again, elsewhere."""

    async def guarded(request: Request) -> Response:
        if leadership.held():
            return await answer(request)
        words = {"error": "this replica is a follower; try again"}
        return JSONResponse(words, 503, {"connection": "close", "retry-after": "2"})

    return guarded
