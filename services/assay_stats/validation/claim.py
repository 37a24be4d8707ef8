"""What is claimed, how it is held against its bar, and how much is simulated for it."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

ALPHA = 0.05
SPLITS = ((50.0, 50.0), (95.0, 5.0), (99.0, 1.0))
THRESHOLD_LOOKS = 60


class RateCheck(NamedTuple):
    """A figure and the bar it is held against.

    Attributes:
        name: What was simulated.
        value: The frequency found.
        bar: What it may be at most (or at least).
        runs: Experiments.
        kind: "at most", "at least", or "shown" for what is only there to warn.
        stop: Mean part of the units after which it was decided; None where that has no meaning.
    """

    name: str
    value: float
    bar: float
    runs: int
    kind: str
    stop: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure keeps to its bar within three Monte-Carlo errors."""
        slack = 3 * sqrt(self.bar * (1 - self.bar) / self.runs)
        if self.kind == "shown":
            return True
        return self.value <= self.bar + slack if self.kind == "at most" else self.value >= self.bar - slack


class Scale(NamedTuple):
    """How much to simulate: runs of cheap sums, runs that draw every unit, long runs, cores."""

    runs: int
    drawn: int
    long: int
    cores: int


QUICK = Scale(runs=300, drawn=40, long=20, cores=1)
FULL = Scale(runs=10_000, drawn=1000, long=1000, cores=2)


def split(weights: Sequence[float]) -> str:
    """Return weights as people write them."""
    return ":".join(f"{weight:g}" for weight in weights)


def line(claim: RateCheck) -> str:
    """Return a row of the table."""
    stop = "" if claim.stop is None else f"{claim.stop:.2f}"
    verdict = "" if claim.kind == "shown" else "ok" if claim.holds else "BROKEN"
    bar = "" if claim.kind == "shown" else f"{claim.kind} {claim.bar:g}"
    return f"| {claim.name} | {claim.value:.4f} | {bar} | {stop} | {claim.runs} | {verdict} |"
