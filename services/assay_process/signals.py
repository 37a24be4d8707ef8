"""SIGTERM and SIGINT as an event: who waits for it ends its work, and the process ends with code 0."""

import asyncio
import signal
import threading

STOPS = (signal.SIGTERM, signal.SIGINT)


def stop_event() -> threading.Event:
    """Return an event that the signals set; call it from the main thread."""
    event = threading.Event()
    for number in STOPS:
        signal.signal(number, lambda *_: event.set())
    return event


def async_stop_event() -> asyncio.Event:
    """Return an event of the running loop that the signals set."""
    event, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, event.set)
    return event
