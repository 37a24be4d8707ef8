"""When to try again: later and later, and never all senders at once."""

import random
import time
from collections.abc import Callable

SHORTEST, LONGEST = 0.1, 5.0  # seconds between attempts
MAX_DOUBLINGS = 32  # of the pause, which is at its longest by then


def pause(failures: int, longest: float = LONGEST) -> float:
    """Return how many seconds to wait after so many failures in a row, at least one."""
    bound: float = min(longest, SHORTEST * 2 ** min(failures - 1, MAX_DOUBLINGS))
    return random.uniform(bound / 2, bound)


class Backoff:
    """The pauses of one sender, which goes on for ever."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, longest: float = LONGEST) -> None:
        """Try at once; `longest` is that of a pause, in seconds."""
        self._clock = clock
        self._longest = longest
        self._since: float | None = None
        self._failures, self._next = 0, 0.0

    def failed(self) -> None:
        """Wait longer than last time."""
        now = self._clock()
        self._since = now if self._since is None else self._since
        self._failures += 1
        self._next = now + pause(self._failures, self._longest)

    def succeeded(self) -> None:
        """Wait no more."""
        self._failures, self._next, self._since = 0, 0.0, None

    def wait(self) -> float:
        """Return the seconds until the next attempt, 0 if it is time."""
        return max(0.0, self._next - self._clock()) if self._failures else 0.0

    def ready(self) -> bool:
        """Tell whether it is time."""
        return self.wait() <= 0

    def blocked(self) -> float:
        """Return for how many seconds nothing has gone through."""
        return 0.0 if self._since is None else self._clock() - self._since


class Attempts:
    """The attempts at one delivery that somebody waits for: when to make the next, and when to give up."""

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Go on for `patience` seconds."""
        self._clock = clock
        self._until = clock() + patience
        self._failures = 0

    def pause(self) -> float | None:
        """Return how many seconds to wait before the next attempt, or None when the time is up."""
        self._failures += 1
        seconds = pause(self._failures)
        return seconds if self._clock() + seconds < self._until else None
