"""Counts of answers by version and second, for the collector. Best effort: they never hold up exposures.

They say how a version does, in shares of each second's answers. So the few that a crash loses, or that are
sent twice, move a share a little and can never make evidence: no second counts twice.
"""

from bisect import bisect_left
from collections.abc import Callable
from typing import Any, NamedTuple

from assay_assign import SLOWER_THAN_US
from assay_outbox import Backoff, Unavailable
from assay_shipper.delivery import Delivery
from assay_shipper.exposure import Answer
from assay_shipper.telemetry import Telemetry

PAUSE = 0.25  # seconds between two reports: each costs the collector a commit
MOST = 5_000  # pairs of version and second that wait; beyond it the oldest are given up


class Key(NamedTuple):
    """A second of one version, which is named by namespace, Model and version."""

    second: int
    owner: tuple[str, str, str]


class Answers:
    """What is counted and not reported yet."""

    def __init__(self, delivery: Delivery, telemetry: Telemetry, clock: Callable[[], float]) -> None:
        """Report to the collector; `clock` is monotonic, in seconds."""
        self._delivery = delivery
        self._lost = telemetry.lost_answers
        self._clock = clock
        self._backoff = Backoff(clock)
        self._next = 0.0
        self._counts: dict[Key, list[int]] = {}  # requests, failures, and one for each bar of slowness

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        counts = self._counts.get(key := Key(answer.second, answer.owner))
        if counts is None:
            counts = self._counts[key] = [0] * (2 + len(SLOWER_THAN_US))
        counts[0] += 1
        counts[1] += answer.failed
        if passed := bisect_left(SLOWER_THAN_US, answer.duration):
            counts[1 + passed] += 1

    def report(self, *, last: bool = False) -> None:
        """Send what there is, if it is time; what the collector does not take now waits, within bounds."""
        due = last or (self._clock() >= self._next and self._backoff.ready())
        if not self._counts or not due:
            return
        self._next = self._clock() + PAUSE
        self._forget_the_oldest()
        try:
            self._delivery.count([_record(*one) for one in self._counts.items()])
        except Unavailable:
            self._backoff.failed()
            return
        self._backoff.succeeded()
        self._counts.clear()

    def _forget_the_oldest(self) -> None:
        for key in sorted(self._counts)[:-MOST]:
            self._lost.inc(self._counts.pop(key)[0])


def _record(key: Key, counts: list[int]) -> dict[str, Any]:
    """Return what the collector reads: `slow` has how many were slower than each bar."""
    namespace, model, version = key.owner
    slow, total = [], 0
    for number in reversed(counts[2:]):
        total += number
        slow.append(total)
    return {
        "namespace": namespace, "model": model, "version": version, "second": key.second,
        "requests": counts[0], "errors": counts[1], "slow": slow[::-1],
    }  # fmt: skip
