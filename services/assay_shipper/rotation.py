"""Keeps the log within its bounds: finishes large files, deletes shipped ones, gives up the oldest.

Envoy can't be made to wait. When the collector is away for so long that the disk bound is reached, exposures
are lost; all that can be done is to lose the oldest first, count every line and say so.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from assay_shipper.tail import NEWLINE, Tail, logs, size
from assay_shipper.telemetry import Telemetry

log = logging.getLogger(__name__)

SLICE = 1 << 20
PATIENCE_SECONDS = 1.0


class Rotation:
    """Renames the log and has Envoy open a new one, which it does with the next line it writes."""

    def __init__(
        self,
        path: Path,
        most: int,
        admin: httpx.Client | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Rotate beyond `most` bytes; without Envoy's admin, never."""
        self._path = path
        self._most = most
        self._admin = admin
        self._clock = clock
        self._ask_after = float("-inf")

    def tend(self, telemetry: Telemetry) -> None:
        """Rotate if it is time. As long as there is no new file, ask for it again and again.

        That helps as well when a shipper was killed between the renaming and the asking.
        """
        if self._admin is None:
            return
        if size(self._path) > self._most:
            self._path.rename(self._path.with_name(f"{self._path.name}.{time.time_ns()}"))
            telemetry.rotations.inc()
            self._ask_after = float("-inf")
        if self._clock() >= self._ask_after and not self._path.exists() and logs(self._path):
            self._ask_after = self._clock() + PATIENCE_SECONDS
            self._ask(self._admin, telemetry)

    def _ask(self, admin: httpx.Client, telemetry: Telemetry) -> None:
        try:
            admin.post("/reopen_logs").raise_for_status()
        except httpx.HTTPError as error:
            telemetry.failures.labels("envoy").inc()
            log.warning("Envoy did not reopen its log, asking again: %s", error)


def forget(tail: Tail) -> None:
    """Delete files that are shipped; call it when the checkpoint is behind them."""
    for path in tail.finished():
        path.unlink(missing_ok=True)


def bound(tail: Tail, most: int, telemetry: Telemetry) -> None:
    """Give up the oldest files that nobody reads or writes while there are more than `most` bytes to ship.

    Their lines are counted as lost.
    """
    excess = tail.behind() - most
    for oldest in tail.waiting()[:-1] if excess > 0 else ():
        if excess <= 0:
            break
        excess -= size(oldest)
        lines = _lines(oldest)
        oldest.unlink(missing_ok=True)
        telemetry.lost.inc(lines)
        log.error("over %d bytes of log and the collector takes none: gave up %d exposures", most, lines)


def _lines(path: Path) -> int:
    count = 0
    with path.open("rb") as file:
        while block := file.read(SLICE):
            count += block.count(NEWLINE)
    return count
