"""The only room that reads data: files from wherever fsspec reaches, or a query of a database.

Only the wanted columns are read, and only the wanted rows are held.
"""

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pandas
import pyarrow

from assay_artifact.store import is_of_store
from assay_training.data import files
from assay_training.data.sample import SampleConfig
from assay_training.errors import JobError
from assay_training.runtime.transient import may_pass, status_of
from assay_training.spec import Data

_DENIED = {401, 403}
_BROKEN = (pandas.errors.ParserError, pyarrow.ArrowException, UnicodeDecodeError, EOFError, gzip.BadGzipFile)


class Table(NamedTuple):
    """Rows with the fingerprint of where they came from."""

    frame: pandas.DataFrame
    digest: str  # sha256 over the files, or over the rows of a query
    total: int  # rows that are there, of which some may be held


def read(
    data: Data, columns: Sequence[str] | None, also: Sequence[str] = (), rows: SampleConfig | None = None
) -> Table:
    """Read the rows of `data`.

    Args:
        data: Where they are.
        columns: The features that are wanted, read beside key and target; None reads every column.
        also: Columns that are read where they are there.
        rows: Which rows are wanted; None for all.

    Raises:
        JobError: They are not there, may not be read, are broken, or lack a column.
    """
    pick, rows = _picker(data, columns, also), rows or SampleConfig(data.key, 1.0, None)
    if data.sql:
        from assay_training.data import database  # noqa: PLC0415  (SQLAlchemy is for those who query)

        frame, total = database.queried(data, pick, rows, os.environ)
        return Table(frame, f"sha256:{database.fingerprint(frame)}", total)
    uri = str(data.uri)
    with _failures(uri), files.local(uri) as paths:
        frame, total = files.parsed(paths, data, pick, rows)
        return Table(frame, f"sha256:{files.fingerprint(paths)}", total)


def _picker(
    data: Data, columns: Sequence[str] | None, also: Sequence[str]
) -> Callable[[list[str]], list[str]]:
    def pick(there: list[str]) -> list[str]:
        own = [] if columns is None else [*data.apart, *columns]
        wanted = there if columns is None else [*own, *(name for name in also if name in there)]
        if missing := [name for name in dict.fromkeys([*data.apart, *own]) if name not in there]:
            raise JobError(
                "ColumnMissing",
                f"{data.place} has no column {', '.join(map(repr, missing))}; it has {_some(there)}",
            )
        return list(dict.fromkeys(wanted))

    return pick


@contextmanager
def _failures(uri: str) -> Iterator[None]:
    """Every way in which reading fails, as a reason and advice."""
    try:
        yield
    except Exception as error:
        if not (is_of_store(error) or isinstance(error, _BROKEN)):
            raise
        raise _explained(uri, error) from error


def _explained(uri: str, error: BaseException) -> JobError:
    if may_pass(error) and not _is_denied(error):
        words = f"data.uri {uri} cannot be read now: {_line(error)}; its server does not answer as it should"
        return JobError("DataUnreadable", words, passing=True)
    for matches, reason, advice in (
        (isinstance(error, FileNotFoundError), "DataNotFound", "check the path, and that it is mounted"),
        (_is_denied(error), "DataAccessDenied", "check its credentials (data.secretRef) and permissions"),
        (isinstance(error, pandas.errors.EmptyDataError), "DataEmpty", "it needs a header and rows"),
        (isinstance(error, _BROKEN), "DataUnreadable", "check data.format and the file"),
        (isinstance(error, ImportError | ValueError), "InvalidSpec", "check data.uri"),
    ):
        if matches:
            return JobError(reason, f"data.uri {uri} cannot be read: {_line(error)}; {advice}")
    return JobError("DataUnreadable", f"data.uri {uri} cannot be read: {_line(error)}; try again or check it")


def _is_denied(error: BaseException) -> bool:
    """Each client has words of its own for it: an exception, a status, a text."""
    return (
        isinstance(error, PermissionError)
        or status_of(error) in _DENIED
        or type(error).__name__ in {"NoCredentialsError", "DefaultCredentialsError", "RefreshError"}
        or str(error).startswith(("Forbidden: ", "unable to connect to account"))
    )


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]


def _some(names: Sequence[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
