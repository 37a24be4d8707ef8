"""Every event of one kind, for ever: a listing, then a watch that is resumed where it broke off.

kopf keeps a task, a queue and a memory for each object that it watches. That is right for what people write,
and too much for the ten objects that a Model has besides.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from assay_operator.kinds import Kind
from assay_operator.kube import Body
from assay_operator.kube.watch import WatchEvent, WatchExpired
from assay_operator.telemetry import metrics

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0  # seconds until the next attempt

log = logging.getLogger(__name__)


class Source(Protocol):
    """What is asked of the API server; see `Cluster`."""

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        """Return every object of a kind and the list's version."""

    def watch(self, kind: Kind, namespace: str | None, version: int) -> AsyncIterator[WatchEvent]:
        """Yield what happens after a version."""


@dataclass
class KindWatch:
    """Follows one kind in one namespace, or in all of them.

    Args:
        cluster: Whom to ask.
        kind: What is followed.
        namespace: Where; None means everywhere.
        observe: Called with each body, and whether it is gone.
        relisted: Called with a listing and its version when the place was lost.
    """

    cluster: Source
    kind: Kind
    namespace: str | None
    observe: Callable[[Body, bool], None]
    relisted: Callable[[Kind, Iterable[Body], int], None]

    async def run(self, version: int) -> None:
        """Follow for ever what happens after `version`."""
        failures = 0
        while True:
            try:
                async for event in self.cluster.watch(self.kind, self.namespace, version):
                    version, failures = event.version, 0
                    if event.body is not None:
                        self.observe(event.body, event.deleted)
                failures = 0  # it was answered to the end, be it without any event
            except WatchExpired:
                version = await self._listed(version)
            except Exception as error:  # noqa: BLE001  whatever it is, the watch is resumed
                metrics.errors.labels(type(error).__name__).inc()
                if failures == 0:  # once for each time that the API server is away
                    log.warning("the watch of %s broke off: %s", self.kind.plural, str(error)[:300])
                failures += 1
            await asyncio.sleep(pause(failures))

    async def _listed(self, version: int) -> int:
        """Take a listing; return where it stands, or `version` if there is none now."""
        try:
            bodies, version = await self.cluster.listed(self.kind)
        except Exception as error:  # noqa: BLE001  the watch expires again, and leads here again
            metrics.errors.labels(type(error).__name__).inc()
            log.warning("%s cannot be listed: %s", self.kind.plural, str(error)[:300])
            await asyncio.sleep(LONGEST_PAUSE / 10)
            return version
        self.relisted(self.kind, bodies, version)
        return version


def pause(failures: int) -> float:
    """Return how many seconds to wait, none twice alike: replicas shall not all come at once."""
    longest = min(FIRST_PAUSE * 2.0 ** min(failures, 20), LONGEST_PAUSE)
    return longest * random.uniform(0.5, 1)
