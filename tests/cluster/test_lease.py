"""Candidates that are processes, and a Lease in a real API server: killed, stopped, ended, edited by hand."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from api_objects import Objects, until

from assay_operator.kube.lease import Timing, boot_clock

PROGRAM = Path(__file__).parents[1] / "support" / "candidate_process.py"
NAME = "assay-operator-leader"
TAKEOVER_SECONDS = 10.0


@dataclass
class Candidate:
    """One process and what it printed."""

    process: subprocess.Popen[bytes]
    log: Path

    def changes(self) -> list[tuple[str, float]]:
        """Return `held` and `lost` with their times."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [(line[0], float(line[1])) for line in lines if len(line) == 3]

    def holds(self) -> bool:
        """Return whether the last thing that it said is that it may act."""
        changes = self.changes()
        return bool(changes) and changes[-1][0] == "held"

    def signal(self, number: int) -> float:
        """Send a signal; return when."""
        self.process.send_signal(number)
        return boot_clock()


@dataclass
class Candidates:
    """Processes that compete for one Lease."""

    kubeconfig: Path
    objects: Objects
    folder: Path
    all: list[Candidate] = field(default_factory=list)

    def start(self) -> Candidate:
        """Start one more, and wait until it competes."""
        identity = f"replica-{len(self.all)}"
        log = self.folder / identity
        command = [sys.executable, str(PROGRAM), self.objects.namespace, NAME, identity]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env=os.environ | {"KUBECONFIG": str(self.kubeconfig)}
            )
        candidate = Candidate(process, log)
        self.all.append(candidate)
        until(lambda: "ready" in log.read_text(), f"{identity} to compete: {log.read_text()}")
        return candidate

    def holder(self, *but: Candidate) -> Candidate:
        """Wait until somebody else than these may act."""
        living = [c for c in self.all if c not in but and c.process.poll() is None]
        return until(lambda: next((c for c in living if c.holds()), None), "a holder", 20)

    def spec(self) -> dict[str, Any]:
        """Return the Lease's spec."""
        found = self.objects.get("Lease", NAME)
        assert found
        spec: dict[str, Any] = found["spec"]
        return spec


@pytest.fixture
def candidates(api_server: Any, objects: Objects, tmp_path: Path) -> Iterator[Candidates]:
    objects.create({"kind": "Lease", "metadata": {"name": NAME}, "spec": {}})  # as the chart makes it
    found = Candidates(api_server.kubeconfig, objects, tmp_path)
    yield found
    for candidate in found.all:
        with suppress(ProcessLookupError):
            candidate.process.send_signal(signal.SIGCONT)
            candidate.process.kill()
        candidate.process.wait(10)


def took_over(old: Candidate, new: Candidate, since: float, *, stood_still: bool = False) -> float:
    """Return how long nobody acted.

    Raises:
        AssertionError: Both might act at one moment; a process that stood still could not.
    """
    start = next(at for what, at in new.changes() if what == "held" and at > since - 1)
    ends = [at for what, at in old.changes() if what == "lost"]
    assert since < start
    assert not stood_still or not old.holds()
    assert stood_still or not ends or ends[-1] < start
    return start - since


def test_killed_stopped_and_ended_holders_are_followed_by_one_other(candidates: Candidates) -> None:
    first, second = candidates.start(), candidates.start()
    killed = candidates.holder()
    other = second if killed is first else first
    since = killed.signal(signal.SIGKILL)
    assert took_over(killed, candidates.holder(killed), since) < TAKEOVER_SECONDS - 2

    third = candidates.start()
    since = other.signal(signal.SIGSTOP)
    candidates.holder(other)
    other.signal(signal.SIGCONT)
    until(lambda: not other.holds(), "who slept to notice")
    assert took_over(other, third, since, stood_still=True) < TAKEOVER_SECONDS - 2
    assert third.holds()

    since = third.signal(signal.SIGTERM)
    candidates.holder(third)
    assert took_over(third, other, since) < 2 * Timing().retry
    assert third.process.wait(10) == 0
    assert candidates.spec()["leaseTransitions"] == 4


def test_a_lease_edited_by_hand_makes_no_second_holder(candidates: Candidates) -> None:
    first, second = candidates.start(), candidates.start()
    for change in (lambda other: {"holderIdentity": other}, lambda _: {"holderIdentity": None}, None):
        _edit(candidates, change)
        _alone(first, second)
    assert len(first.changes() + second.changes()) >= 6


def _edit(candidates: Candidates, change: Callable[[str], dict[str, Any]] | None) -> None:
    holder = candidates.holder()
    other = f"replica-{1 - candidates.all.index(holder)}"
    if change is None:
        candidates.objects.delete("Lease", NAME)
    else:
        candidates.objects.patch("Lease", NAME, {"spec": change(other)})
    until(lambda: not holder.holds(), "the holder to notice")
    candidates.holder()


def _alone(*candidates: Candidate) -> None:
    """Check that who holds and who lost alternate over all of them."""
    changes = sorted((at, what) for c in candidates for what, at in c.changes())
    assert all(one[1] != next_one[1] for one, next_one in pairwise(changes)), changes
