"""Where a study is kept: a journal in a shared folder, or tables in PostgreSQL."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import optuna
from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalStorage
from sqlalchemy import NullPool, create_engine, exc, make_url

from assay_training.errors import JobError
from assay_training.runtime.transient import database_may_pass
from assay_training.search.locks import FileLocks, Lock, Locks, SessionLocks

KEPT = 5  # studies of a Model whose trials may be wanted again
Where = Path | str  # a folder, or the SQLAlchemy URL of a database

# A dead client is noticed within half a minute, also if its whole node has gone.
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"


class StudyStorage(NamedTuple):
    """The trials of a study, and the locks of its workers."""

    storage: BaseStorage
    locks: Locks


def opened(where: Where, study: str) -> StudyStorage:
    """Where the study of that name is kept; it is made if it is not there.

    Raises:
        JobError: The database is not there, or refuses (StudyUnreachable).
    """
    if isinstance(where, Path):
        folder = where / study
        return StudyStorage(journal(folder), FileLocks(folder))
    with reachable(where):
        return _in_database(where, study)


class _MendingLock(Lock):
    """The lock of those who write a journal: who gets it takes back the half line of a writer that died.

    Another line after it would make the whole journal unreadable.
    """

    def __init__(self, path: Path, journal: Path) -> None:
        super().__init__(path)
        self._journal = journal

    def acquire(self) -> bool:
        super().acquire()
        with self._journal.open("rb+") as file:
            kept = file.seek(0, os.SEEK_END)
            while kept and _byte(file, kept - 1) != b"\n":
                kept -= 1
            file.truncate(kept)
        return True


def _byte(file: BinaryIO, position: int) -> bytes:
    file.seek(position)
    return file.read(1)


def journal(folder: Path) -> JournalStorage:
    """The journal in `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "journal.log"
    lock = _MendingLock(folder / "journal.lock", path)
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))  # type: ignore[arg-type]


def tidied(where: Where) -> None:
    """Remove studies that nobody has touched for longer than the last few."""
    if isinstance(where, Path) and where.is_dir():
        studies = sorted(where.glob("*/journal.log"), key=lambda path: -path.stat().st_mtime)
        for old in studies[KEPT:]:
            shutil.rmtree(old.parent, ignore_errors=True)


@contextmanager
def reachable(where: Where) -> Iterator[None]:
    """What a database says when it refuses, as a reason; the URL stays a secret."""
    try:
        yield
    except (exc.DBAPIError, exc.ArgumentError, ImportError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or type(error).__name__
        message = " ".join(str(cause).split())[:300]
        if isinstance(where, str) and not isinstance(error, exc.ArgumentError):
            message = message.replace(str(make_url(where).password or "\0"), "***")
        raise JobError(
            "StudyUnreachable",
            f"tuning.storage cannot be used: {message}; check the Secret of tuning.storage.urlSecretRef "
            "(postgresql+psycopg://user:password@host/name)",
            passing=database_may_pass(error),
        ) from None


def _in_database(url: str, study: str) -> StudyStorage:
    parts = make_url(url)
    if parts.get_backend_name() != "postgresql":
        raise JobError("InvalidSpec", f"tuning.storage is PostgreSQL, not {parts.get_backend_name()}")
    arguments = {"options": _KEEPALIVE}
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=arguments)
    locks = SessionLocks(engine, study)
    with SessionLocks(engine, "assay").turn():  # one worker makes the tables
        storage = RDBStorage(url, engine_kwargs={"connect_args": arguments, "pool_pre_ping": True})
    return StudyStorage(storage, locks)
