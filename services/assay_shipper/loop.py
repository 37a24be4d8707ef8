"""The rounds of the shipper: read, judge, send, remember. One batch is under way at a time."""

import logging
import threading
import time
from dataclasses import dataclass

import httpx

from assay_outbox import Backoff, Unavailable
from assay_shipper import checkpoint
from assay_shipper.answers import Answers
from assay_shipper.delivery import Delivery, Record
from assay_shipper.exposure import Line, parse
from assay_shipper.rotation import Rotation, bound, forget
from assay_shipper.settings import Settings
from assay_shipper.tail import Chunk, Tail
from assay_shipper.telemetry import Telemetry

log = logging.getLogger(__name__)

KEY_BYTES = 64  # BLAKE2b's longest
COMPLAIN_SECONDS = 30


@dataclass(slots=True)
class Batch:
    """Records under way, and the place in the log behind them."""

    records: list[Record]
    place: checkpoint.Checkpoint
    newest: float


class Shipper:
    """Ships one log."""

    def __init__(
        self, settings: Settings, delivery: Delivery, admin: httpx.Client | None, telemetry: Telemetry
    ) -> None:
        """Go on where the checkpoint says."""
        self._settings = settings
        self._delivery = delivery
        self._admin = admin
        self._telemetry = telemetry
        self._tail = Tail(settings.exposures, checkpoint.load(settings.checkpoint_file))
        self._rotation = Rotation(settings.exposures, settings.rotate_bytes, admin)
        self._backoff = Backoff(time.monotonic)
        self._answers = Answers(delivery, telemetry, time.monotonic)
        self._batch: Batch | None = None
        self._complained = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Ship until told to stop, then what is left, within the time for that."""
        while not stop.is_set():
            if not self.round():
                stop.wait(self._settings.poll_seconds)
        self._drain()

    def close(self) -> None:
        """Close the log."""
        self._tail.close()

    def round(self) -> bool:
        """Do one step, and tell whether there may be another one at once."""
        try:
            self._rotation.tend(self._telemetry)
            if self._batch is None:
                self._batch = self._next()
            done = self._batch is not None and self._backoff.ready() and self._ship(self._batch)
            self._answers.report()
            self._watch()
        except OSError as error:
            self._complain("log", error)
            return False
        return done

    def _next(self) -> Batch | None:
        key = self._key()
        chunk = self._tail.read(self._settings.batch_bytes) if key else None
        return self._judged(chunk, key) if chunk else None

    def _key(self) -> bytes:
        try:
            key = self._settings.unit_key_file.read_bytes().strip()
        except OSError as error:
            self._complain("key", error)
            return b""
        if not 0 < len(key) <= KEY_BYTES:
            self._complain(
                "key", f"{self._settings.unit_key_file} has {len(key)} bytes; 1 to {KEY_BYTES} make a key"
            )
            return b""
        return key

    def _judged(self, chunk: Chunk, key: bytes) -> Batch:
        batch = Batch([], chunk.place, 0.0)
        if chunk.torn:
            self._telemetry.malformed.inc()
        for text in chunk.lines:
            try:
                line = parse(text, key)
            except (ValueError, KeyError, TypeError, OverflowError) as error:
                self._telemetry.malformed.inc()
                log.warning("a line of the log is no exposure: %s", type(error).__name__)
                continue
            self._count(line)
            if line.answer is not None:
                self._answers.add(line.answer)
            if line.record is not None:
                batch.records.append(line.record)
                batch.newest = max(batch.newest, line.at)
        return batch

    def _count(self, line: Line) -> None:
        owner = (line.namespace, line.model, line.assigned)
        self._telemetry.exposures.labels(*owner).inc()
        if line.fault:
            self._telemetry.faults.labels(*owner, line.fault).inc()
        if not line.sound:
            self._telemetry.mismatches.labels(line.experiment).inc()
            log.error(
                "Envoy assigned %s in Experiment %s, the hash says otherwise", line.assigned, line.experiment
            )

    def _ship(self, batch: Batch) -> bool:
        try:
            self._delivery.send(batch.records)
        except Unavailable as error:
            self._backoff.failed()
            self._complain("collector", error)
            return False
        self._backoff.succeeded()
        checkpoint.save(self._settings.checkpoint_file, batch.place)
        self._batch = None
        forget(self._tail)
        if batch.newest:
            self._telemetry.lag.set(max(0.0, time.time() - batch.newest))
        return True

    def _watch(self) -> None:
        bound(self._tail, self._settings.disk_bytes, self._telemetry)
        self._telemetry.backlog.set(self._tail.behind())
        self._telemetry.truncations.set(self._tail.truncations)
        self._telemetry.blocked.set(self._backoff.blocked())

    def _complain(self, of: str, error: object) -> None:
        self._telemetry.failures.labels(of).inc()
        if (now := time.monotonic()) - self._complained >= COMPLAIN_SECONDS:
            self._complained = now
            log.warning("%s: %s; trying again, %d bytes wait", of, error, self._tail.behind())

    def _drain(self) -> None:
        """Ship what Envoy still writes while it drains, until it is gone or the time is up."""
        until = time.monotonic() + self._settings.drain_seconds
        while time.monotonic() < until:
            gone = self._envoy_gone()  # ask before reading: what it wrote before it went is in what is read
            while self.round():
                pass
            if gone and self._batch is None:
                break
            time.sleep(self._settings.poll_seconds)
        self._answers.report(last=True)
        left = self._tail.behind()
        log.info(
            "stopped with %d bytes and %d records not shipped",
            left,
            len(self._batch.records) if self._batch else 0,
        )
        self.close()

    def _envoy_gone(self) -> bool:
        if self._admin is None:
            return True
        try:
            self._admin.get("/ready")
        except httpx.TransportError:
            return True
        return False
