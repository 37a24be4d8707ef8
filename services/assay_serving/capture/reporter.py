"""Brings counts to the collector, now and then, from a thread of its own; predictions never wait for it.

A batch keeps its number until the collector has it on disk, so that one whose answer got lost counts once.
While the collector is away batches wait, a bounded number of them; then the oldest is given up, and counted.
"""

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from prometheus_client import Counter

from assay_drift.tally import Delta

log = logging.getLogger(__name__)

MAX_BATCHES = 60
TIMEOUT_SECONDS = 10.0
LAST_SECONDS = 3.0  # for all that is left when the process ends
HOPELESS = frozenset({400, 409, 413, 415, 422})  # the collector will never take it


@dataclass(frozen=True)
class Address:
    """Where batches go and whose they are.

    Attributes:
        url: Of the collector.
        token: File with the token; read at every turn, as it may change.
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
    """Takes counts at an interval and brings them away."""

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
            seconds: Between two turns.
            now: The time, in seconds since 1970.
        """
        self.take, self.address, self.lost, self.seconds, self.now = take, address, lost, seconds, now
        self.source = f"{address.pod}:{os.urandom(6).hex()}"
        self.batches: deque[ProfileBatch] = deque()
        self.sequence = 0
        self.since = now()
        self.ending, self.busy = threading.Event(), threading.Lock()
        self.thread = threading.Thread(target=self._run, name="profile-reporter", daemon=True)
        self.opener = build_opener(ProxyHandler({}))
        self.troubled = False

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def stop(self) -> None:
        """Bring what is left, for a few seconds at most."""
        self.ending.set()
        self.turn(LAST_SECONDS)

    def turn(self, timeout: float = TIMEOUT_SECONDS) -> bool:
        """Pack what was counted and bring all batches; tell whether none is left."""
        if not self.busy.acquire(timeout=timeout):
            return False
        try:
            self._pack()
            while self.batches and self._delivered(self.batches[0], timeout):
                self.batches.popleft()
            return not self.batches
        finally:
            self.busy.release()

    def _run(self) -> None:
        while not self.ending.wait(self.seconds):
            self.turn()

    def _pack(self) -> None:
        delta, since = self.take(), self.since
        self.since = self.now()
        if not delta.rows:
            return
        self.sequence += 1
        header = {**self.address.owner, "source": self.source, "sequence": self.sequence}
        times = {"from": since, "until": self.since}
        self.batches.append(ProfileBatch(delta.rows, json.dumps(header | times | delta.plain()).encode()))
        while len(self.batches) > MAX_BATCHES:
            self._give_up(self.batches.popleft(), "the collector has been away for too long")

    def _delivered(self, batch: ProfileBatch, timeout: float) -> bool:
        """Tell whether a batch needs no more care."""
        try:
            self._post(batch.body, timeout)
        except HTTPError as error:
            with error:
                answer = error.read(500).decode(errors="replace")
            if error.code in HOPELESS:
                self._give_up(batch, f"the collector refuses it: {error.code} {answer}")
                return True
            return self._trouble(f"{error.code} {answer}")
        except (OSError, HTTPException) as error:
            return self._trouble(str(error))
        self.troubled = False
        return True

    def _post(self, body: bytes, timeout: float) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
        request = Request(f"{self.address.url}/v1/profiles", body, headers, method="POST")
        with self.opener.open(request, timeout=timeout) as answer:
            answer.read()

    def _token(self) -> str:
        return self.address.token.read_text().strip()

    def _trouble(self, why: str) -> bool:
        """Say it once, not at every turn."""
        if not self.troubled:
            log.warning("counts wait, as the collector doesn't take them: %s", why)
        self.troubled = True
        return False

    def _give_up(self, batch: ProfileBatch, why: str) -> None:
        self.lost.inc(batch.rows)
        log.warning("counts of %d rows are lost: %s", batch.rows, why)


def owner(namespace: str, model: str, version: str, profile: str) -> dict[str, str]:
    """Return whose counts they are, as the collector wants it; `profile` is the sha256 of its file."""
    return {"namespace": namespace, "model": model, "version": version, "profile": f"sha256:{profile}"}
