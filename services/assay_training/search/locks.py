"""Who is at work, and whose turn it is: locks that end with their holder, however it dies. No clocks.

On a shared folder the kernel keeps them (flock); in PostgreSQL the server does (advisory locks of a session).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, Self

from sqlalchemy import Connection, Engine, text


class Locks(Protocol):
    """What the workers of a study need of each other."""

    def turn(self) -> AbstractContextManager[None]:
        """One worker at a time; waits."""

    def alive(self, me: str) -> AbstractContextManager[None]:
        """Be seen to live for the length of the block."""

    def lives(self, worker: str) -> bool:
        """Tell whether a worker is in its block still."""

    def wait_for(self, worker: str) -> None:
        """Until that worker has left its block, or died."""


class Lock:
    """A lock on a file; Optuna's journal uses one too."""

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        self._file = self._path.open("ab")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Let others in."""
        if self._file:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        """Wait for the lock."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let others in."""
        self.release()


class FileLocks:
    """Locks in a folder that all workers see."""

    def __init__(self, folder: Path) -> None:
        """Name the folder, which is there."""
        self._folder = folder

    @contextmanager
    def turn(self) -> Iterator[None]:
        """See `Locks.turn`."""
        with Lock(self._folder / "claims.lock"):
            yield

    @contextmanager
    def alive(self, me: str) -> Iterator[None]:
        """See `Locks.alive`."""
        with Lock(self._of(me)):
            yield
        self._of(me).unlink(missing_ok=True)

    def lives(self, worker: str) -> bool:
        """See `Locks.lives`."""
        if not worker or not self._of(worker).exists():
            return False
        with self._of(worker).open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def wait_for(self, worker: str) -> None:
        """See `Locks.wait_for`."""
        with suppress(FileNotFoundError):
            descriptor = os.open(self._of(worker), os.O_RDONLY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_SH)
            finally:
                os.close(descriptor)

    def _of(self, worker: str) -> Path:
        return self._folder / f"worker-{worker}"


class SessionLocks:
    """Advisory locks of PostgreSQL: each is held by a connection of its own, and ends with it."""

    def __init__(self, engine: Engine, study: str) -> None:
        """Name the study; `engine` makes a new connection each time, outside transactions."""
        self._engine, self._study = engine, study

    def turn(self) -> AbstractContextManager[None]:
        """See `Locks.turn`."""
        return self._held("a turn", "pg_advisory_lock")

    def alive(self, me: str) -> AbstractContextManager[None]:
        """See `Locks.alive`."""
        return self._held(me, "pg_advisory_lock")

    def lives(self, worker: str) -> bool:
        """See `Locks.lives`."""
        with self._engine.connect() as connection:
            return not self._call(connection, "pg_try_advisory_lock", worker)

    def wait_for(self, worker: str) -> None:
        """See `Locks.wait_for`."""
        with self._held(worker, "pg_advisory_lock_shared"):
            pass

    @contextmanager
    def _held(self, name: str, function: str) -> Iterator[None]:
        with self._engine.connect() as connection:
            self._call(connection, function, name)
            yield

    def _call(self, connection: Connection, function: str, name: str) -> Any:
        key = int.from_bytes(blake2b(f"{self._study}/{name}".encode(), digest_size=8).digest(), signed=True)
        return connection.execute(text(f"SELECT {function}(:key)"), {"key": key}).scalar()
