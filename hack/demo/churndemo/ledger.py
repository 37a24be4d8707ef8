"""The exact record of what users saw: each request once, every failure, every change of arm."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from churndemo.client import Answer

KEPT = 200  # failures kept in full; all of them are counted
KINDS = 50  # kinds of failure told apart


class Move(NamedTuple):
    """A unit was answered under one arm and later under another."""

    unit: str
    before: str
    after: str
    at: float  # unix seconds


class Totals(NamedTuple):
    """The record in numbers."""

    requests: int
    failed: int
    units: int  # that were enrolled
    p50: float  # seconds
    p99: float


class Ledger:
    """Grows by `add`; `begin` starts a new Experiment's record of arms."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.answers_by_arm: Counter[str] = Counter()
        self.answers_by_version: Counter[str] = Counter()
        self.failures: list[Answer] = []
        self.failed = 0
        self._words: Counter[str] = Counter()
        self.arms: dict[str, str] = {}  # unit -> the arm it was last answered under
        self.moves: list[Move] = []
        self.seconds: list[float] = []

    def add(self, answer: Answer) -> None:
        """Count one answer."""
        self.statuses[answer.status] += 1
        self.answers_by_arm[answer.arm or "none"] += 1
        self.answers_by_version[answer.version or "unknown"] += not answer.failed
        self.seconds.append(answer.seconds)
        if answer.failed:
            self.failed += 1
            self._count_words(answer)
            if len(self.failures) < KEPT:
                self.failures.append(answer)
        elif answer.enrolled and answer.unit is not None and answer.arm is not None:
            self._see(answer.unit, answer.arm, answer.at)

    def _see(self, unit: str, arm: str, at: float) -> None:
        before = self.arms.get(unit, arm)
        if before != arm:
            self.moves.append(Move(unit, before, arm, at))
        self.arms[unit] = arm

    def _count_words(self, answer: Answer) -> None:
        word = f"{answer.status or 'no answer'}: {answer.error[:120]}"
        self._words[word if word in self._words or len(self._words) < KINDS else "others"] += 1

    def begin(self) -> None:
        """Forget the arms: the next Experiment has another salt, and may put anyone anywhere."""
        self.arms, self.moves = {}, []

    def moves_until(self, moment: float) -> list[Move]:
        """Return the changes of arm before a verdict; after a rollback everyone is with the champion."""
        return [move for move in self.moves if move.at < moment]

    @property
    def requests(self) -> int:
        """How many requests were sent and came to an end."""
        return sum(self.statuses.values())

    def totals(self) -> Totals:
        """Return the record in numbers."""
        ordered = sorted(self.seconds)
        return Totals(
            self.requests, self.failed, len(self.arms), quantile(ordered, 0.5), quantile(ordered, 0.99)
        )

    def complaint(self) -> str:
        """Return what went wrong, most frequent first; empty if nothing did."""
        return "; ".join(f"{count} x {word}" for word, count in self._words.most_common(5))


def quantile(ordered: list[float], share: float) -> float:
    """Return the value below which `share` of the sorted values lie; 0 if there are none.

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5)
    3.0
    """
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


def disagreements(arms: Iterable[tuple[str, str | None]], expected: Iterable[str | None]) -> list[str]:
    """Return the units whose arm is not the expected one, pair by pair."""
    return [unit for (unit, arm), want in zip(arms, expected, strict=True) if arm != want]
