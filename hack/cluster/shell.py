"""Running other programs, with errors that say what was run and what it answered."""

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .progress import say


class Refusal(Exception):  # noqa: N818 - not an error of the program
    """Nothing is broken, but this machine or its user cannot do it; the message says what to do instead."""


class Failed(Exception):  # noqa: N818 - reads as what happened
    """A program ended with an error; the message has its command line and the end of what it said."""


Words = Sequence[str | Path]
ADMINISTRATORS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Folders with iptables, nsenter and the like, which not every root has in PATH."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the administrators' programs at the end of PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *ADMINISTRATORS])
    return {**os.environ, "PATH": path, **(more or {})}


def run(*words: str | Path, log: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run to the end, output to `log` (appended) or kept for the error.

    Raises:
        Failed: the exit status is not 0.
    """
    with open(log or os.devnull, "ab") as sink:
        done = subprocess.run(
            [str(w) for w in words],
            stdin=subprocess.DEVNULL,
            stdout=sink if log else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(env),
            check=False,
        )
    if done.returncode:
        raise Failed(_complaint(words, done.returncode, done.stdout or _tail(log)))


def output(*words: str | Path, given: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
    """Run to the end and return what it printed.

    Raises:
        Failed: the exit status is not 0.
    """
    done = subprocess.run(
        [str(w) for w in words],
        input=given,
        capture_output=True,
        check=False,
        env=environment(env),
    )
    if done.returncode:
        raise Failed(_complaint(words, done.returncode, done.stderr or done.stdout))
    return done.stdout


def works(*words: str | Path) -> bool:
    """Whether the program is there and ends with status 0."""
    try:
        output(*words)
    except (Failed, OSError):
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the file's lock: a second process that wants the same thing waits, says so, then finds it made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run that holds {path.name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _tail(log: Path | None) -> bytes:
    return log.read_bytes()[-2000:] if log and log.exists() else b""


def _complaint(words: Words, status: int, stderr: bytes) -> str:
    text = "\n".join(stderr.decode(errors="replace").strip().splitlines()[-15:])
    return f"`{' '.join(map(str, words))[:300]}` ended with status {status}:\n{text}"
