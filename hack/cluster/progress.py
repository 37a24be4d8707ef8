"""A line for each step, with its time, that a person can follow and a log can keep."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

QUIET_SECONDS = 0.5
"""A step that ends sooner and had nothing to say is not worth a line."""
REMIND_SECONDS = 30.0

_began = time.monotonic()


def say(text: str) -> None:
    """Print one line on stderr, so that stdout stays for what programs read."""
    print(f"[{time.monotonic() - _began:6.1f} s] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(name: str, hint: str = "") -> Iterator[None]:
    """Announce a step that may take long, remind while it runs, and tell its time.

    Args:
        name: what is being done.
        hint: how long it takes or why, shown once when it does not end at once.
    """
    start, over = time.monotonic(), threading.Event()
    watcher = threading.Thread(target=_remind, args=(name, hint, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
    if (took := time.monotonic() - start) >= QUIET_SECONDS:
        say(f"{name}: done in {took:.1f} s")


def together(jobs: Mapping[str, Callable[[], object]]) -> None:
    """Run the jobs side by side and wait for all; the first error is raised after every job has ended."""
    with ThreadPoolExecutor(max_workers=max(1, len(jobs))) as pool:
        futures = [pool.submit(job) for job in jobs.values()]
    for future in futures:
        future.result()


def _remind(name: str, hint: str, over: threading.Event) -> None:
    if over.wait(QUIET_SECONDS):
        return
    say(f"{name} ..." + (f" ({hint})" if hint else ""))
    start = time.monotonic()
    while not over.wait(REMIND_SECONDS):
        say(f"{name}: still at it after {time.monotonic() - start:.0f} s")
