"""The collector's way in: a long poll that wakes the Experiments that have news."""

import asyncio
import logging
from typing import Protocol

from assay_operator.telemetry import Outcomes, SourceUnavailable

POLL_SECONDS = 20.0
PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Who reads the counts of Experiments."""

    def changed(self, uid: str) -> None:
        """Read one anew."""

    def every_changed(self) -> None:
        """Read all anew."""


async def watch(outcomes: Outcomes, reader: Reader) -> None:
    """Ask for ever; when the collector falls silent, and when it is back, everything is read anew."""
    revision, silent = 0, False
    while True:
        try:
            changes = await outcomes.changes(revision, POLL_SECONDS)
        except SourceUnavailable as error:
            if not silent:
                log.warning("the collector is silent: %s", error)
                reader.every_changed()
            silent, revision = True, 0
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        if silent:
            reader.every_changed()
        silent, revision = False, changes.revision
        for uid in changes.experiments:
            reader.changed(uid)
