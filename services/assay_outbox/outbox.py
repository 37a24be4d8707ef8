"""A bounded queue with a thread that delivers it; the producer only ever appends."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from assay_outbox.backoff import Backoff
from assay_outbox.errors import Rejected, Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")
TIMEOUT = 10.0  # seconds for one attempt
ENDS = "the process ends"


class Outbox(Generic[T]):
    """Items on their way to one receiver, oldest first; any thread may `put`.

    Each item is delivered, or given to `dropped` once: when the receiver rejects it, when more than `bound`
    items wait and it is the oldest, or when the outbox closes before it got through.
    """

    def __init__(
        self,
        send: Callable[[T, float], None],
        dropped: Callable[[T, str], None],
        *,
        bound: int,
        name: str = "outbox",
        backoff: Backoff | None = None,
    ) -> None:
        """Prepare; `start` starts the thread.

        Args:
            send: Delivers an item within a timeout in seconds; raises `Rejected` or `Unavailable`.
            dropped: Gets an item that will not be delivered, and why; it must not raise.
            bound: How many items may wait.
            name: Of the thread, and in the log.
            backoff: The pauses after failures.
        """
        self._send, self._dropped, self._bound, self._name = send, dropped, bound, name
        self._backoff = backoff or Backoff()
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._delivering = threading.Lock()
        self._in_flight = 0
        self._closed = self._ended = False
        self._troubled = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __len__(self) -> int:
        """How many items wait, the one that is being sent among them."""
        with self._changed:
            return len(self._items) + self._in_flight

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def put(self, item: T) -> None:
        """Take an item; returns at once, whatever the receiver does."""
        with self._changed:
            closed = self._closed
            excess = [] if closed else self._appended(item)
            self._changed.notify_all()
        if closed:
            self._dropped(item, "it came after the end")
        for oldest in excess:
            self._dropped(oldest, f"more than {self._bound} wait")

    def flush(self, seconds: float) -> bool:
        """Try to deliver all that waits, now; tell whether nothing is left.

        It ends at the first failure, or after `seconds` at the latest.
        """
        until = time.monotonic() + seconds
        if not self._delivering.acquire(timeout=max(0.0, seconds)):
            return False
        try:
            while (left := until - time.monotonic()) > 0:
                if not self._delivered_next(min(TIMEOUT, left)):
                    break
            return len(self) == 0
        finally:
            self._delivering.release()

    def close(self, seconds: float) -> bool:
        """Deliver what is left as `flush` does, and drop the rest; tell whether all of it was delivered.

        A process that ends does not wait for a receiver that is away: nothing is tried a second time. An item
        that is still being sent is dropped when that fails, if the process lives so long.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        delivered = self.flush(seconds)
        with self._changed:
            self._ended = True
            left = list(self._items)
            self._items.clear()
        for item in left:
            self._dropped(item, ENDS)
        return delivered

    def _appended(self, item: T) -> list[T]:
        """Append, and return what is beyond the bound: the oldest that are not being sent."""
        self._items.append(item)
        excess = len(self._items) + self._in_flight - self._bound
        return [self._items.popleft() for _ in range(min(excess, len(self._items)))]

    def _run(self) -> None:
        while self._due():
            with self._delivering:
                self._delivered_next(TIMEOUT)

    def _due(self) -> bool:
        """Wait until there is something to send and the time for it; False when the outbox is closed."""
        with self._changed:
            while not self._closed:
                wait = self._backoff.wait() if self._items else None
                if wait == 0:
                    return True
                self._changed.wait(wait)
        return False

    def _delivered_next(self, timeout: float) -> bool:
        """Send the oldest item; tell whether it is off the queue. `_delivering` is held."""
        with self._changed:
            if not self._items:
                return False
            item = self._items.popleft()
            self._in_flight = 1
        try:
            self._send(item, timeout)
        except Unavailable as error:
            self._returned(item, error)
            return False
        except Rejected as error:
            self._settled()
            self._dropped(item, f"it is refused: {error}")
            return True
        except Exception:
            log.exception("%s: an item could not be sent", self._name)
            self._settled()
            self._dropped(item, "it could not be sent")
            return True
        self._settled()
        return True

    def _settled(self) -> None:
        with self._changed:
            self._in_flight = 0
        self._backoff.succeeded()
        self._troubled = False

    def _returned(self, item: T, error: Unavailable) -> None:
        """Put it back in front; log it once, not at every attempt."""
        with self._changed:
            self._in_flight = 0
            if not (ended := self._ended):
                self._items.appendleft(item)
            self._backoff.failed()
            self._changed.notify_all()
        if ended:
            self._dropped(item, ENDS)
        if not self._troubled:
            log.warning("%s: %d wait, as the receiver does not take them: %s", self._name, len(self), error)
        self._troubled = True
