"""Logs that stay small: a fault that lasts for minutes is told now and then, not a thousand times."""

import logging
import time
from collections import defaultdict

WINDOW = 30.0  # seconds
MOST = 10  # records of one kind within a window


class Throttle(logging.Filter):
    """Lets so many records of one place through in a while; the next one after it says how many were not."""

    def __init__(self, most: int = MOST, window: float = WINDOW) -> None:
        """Take the bound."""
        super().__init__()
        self._most = most
        self._window = window
        self._counts: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._since = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is logged."""
        now = time.monotonic()
        if now - self._since > self._window:
            self._since = now
            self._counts.clear()
        place = (record.pathname, record.lineno)
        self._counts[place] += 1
        if self._counts[place] == self._most:
            record.msg = f"{record.msg} (further ones of this kind are left out for a while)"
        return self._counts[place] <= self._most


def configure(level: str) -> None:
    """Log to standard error, and little of what libraries say."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Throttle())
    for chatty in ("kopf.objects", "kubernetes"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
