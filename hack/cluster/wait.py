"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

from .shell import Failed


def until(claim: Callable[[], bool], what: str, seconds: float, pause: float = 0.1) -> None:
    """Ask again and again until the claim is true.

    Args:
        claim: asked at least once; OSError (nobody listens yet) counts as not yet.
        what: completes "gave up waiting for".
        seconds: give up after so long.
        pause: between two questions.

    Raises:
        Failed: the time is over.
    """
    end = time.monotonic() + seconds
    while not _true(claim):
        if time.monotonic() > end:
            raise Failed(f"gave up waiting for {what} after {seconds:.0f} s")
        time.sleep(pause)


def _true(claim: Callable[[], bool]) -> bool:
    try:
        return claim()
    except OSError:
        return False
