"""Does it hold what it promises? `python -m assay_stats.validation [--quick] [--cores N]`.

Runs the installed rules on data whose truth is known and holds each figure against its bar: at most the
claimed level plus three Monte-Carlo errors for false positives, at least the expected power less three
for power. Prints a Markdown table; exits with 1 if any bar is broken.
"""

from collections.abc import Callable, Iterator

from assay_stats.validation import guards, intervals, primaries, secondaries
from assay_stats.validation.claim import FULL, QUICK, RateCheck, Scale, line

GROUPS: tuple[Callable[[Scale], Iterator[RateCheck]], ...] = (
    primaries.proportions,
    primaries.heavy,
    primaries.early,
    intervals.coverage,
    secondaries.discoveries,
    primaries.growing,
    primaries.shapes,
    primaries.powers,
    guards.guardrails,
    guards.canaries,
    guards.healthy,
    guards.sample_ratio,
    primaries.warnings,
)


def claims(scale: Scale) -> Iterator[RateCheck]:
    """Return every claim, as it is found."""
    for group in GROUPS:
        yield from group(scale)


__all__ = ["FULL", "GROUPS", "QUICK", "RateCheck", "Scale", "claims", "line"]
