"""Reports counts to the collector at an interval, from threads of its own; predictions never wait for it.

A batch keeps its number until the collector has it on disk, so that one whose answer got lost counts once.
While the collector is away batches wait, a bounded number of them; then the oldest is given up, and counted.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Counter

from assay_drift.tally import Delta
from assay_outbox import Backoff, Endpoint, Outbox

log = logging.getLogger(__name__)

MAX_BATCHES = 60
LONGEST_PAUSE = 30.0  # seconds between attempts: a collector that comes back meets all predictors
LAST_SECONDS = 3.0  # for all that is left when the process ends
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Address:
    """Where batches go and whose they are.

    Attributes:
        url: Of the collector.
        token: File with the token; read at every attempt, as it may change.
        owner: Namespace, model, version and digest of the profile, as the collector wants them.
        pod: Name of the pod; every process adds something of its own to it.
    """

    url: str
    token: Path
    owner: dict[str, str]
    pod: str


@dataclass(frozen=True)
class ProfileBatch:
    """Counts on their way."""

    rows: int
    body: bytes


class ProfileReporter:
    """Takes counts at an interval and hands them to an outbox."""

    def __init__(
        self,
        take: Callable[[], Delta],
        address: Address,
        lost: Counter,
        seconds: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Prepare; `start` starts.

        Args:
            take: Returns what was counted since the last time.
            address: Where it goes.
            lost: Counts rows that never arrive.
            seconds: Between two batches.
            now: The time, in seconds since 1970.
        """
        self.take, self.address, self.lost, self.seconds, self.now = take, address, lost, seconds, now
        self.source = f"{address.pod}:{os.urandom(6).hex()}"
        self.sequence = 0
        self.since = now()
        self.endpoint = Endpoint(f"{address.url}/v1/profiles", address.token)
        self.outbox = Outbox(
            self._send,
            self._drop,
            bound=MAX_BATCHES,
            name="profile-outbox",
            backoff=Backoff(longest=LONGEST_PAUSE),
        )
        self.ending, self.packing = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._run, name="profile-reporter", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.outbox.start()
        self.thread.start()

    def stop(self) -> None:
        """Deliver what is left, for a few seconds at most."""
        self.ending.set()
        self.report()
        self.outbox.close(LAST_SECONDS)

    def report(self) -> None:
        """Pack what was counted since the last time, if anything was, and send it off."""
        with self.packing:
            delta, since = self.take(), self.since
            self.since = self.now()
            if not delta.rows:
                return
            self.sequence += 1
            header = {**self.address.owner, "source": self.source, "sequence": self.sequence}
            times = {"from": since, "until": self.since}
            body = json.dumps(header | times | delta.plain()).encode()
            self.outbox.put(ProfileBatch(delta.rows, body))

    def _run(self) -> None:
        while not self.ending.wait(self.seconds):
            self.report()

    def _send(self, batch: ProfileBatch, timeout: float) -> None:
        self.endpoint.post(batch.body, JSON, timeout)

    def _drop(self, batch: ProfileBatch, reason: str) -> None:
        self.lost.inc(batch.rows)
        log.warning("counts of %d rows are lost: %s", batch.rows, reason)


def owner(namespace: str, model: str, version: str, profile: str) -> dict[str, str]:
    """Return whose counts they are, as the collector wants it; `profile` is the sha256 of its file."""
    return {"namespace": namespace, "model": model, "version": version, "profile": f"sha256:{profile}"}
