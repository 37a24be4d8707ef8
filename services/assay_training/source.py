"""The only room that reads data: csv and parquet from wherever fsspec reaches.

Remote files come once into a scratch folder; local ones are read where they are. Only the wanted columns are
read.
"""

import gzip
import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import fsspec
import pandas
import pyarrow

from assay_training.errors import JobError
from assay_training.spec import Data

_SUFFIXES = {".csv": "CSV", ".tsv": "CSV", ".parquet": "Parquet", ".pq": "Parquet"}
_COMPRESSED = {".gz", ".bz2", ".xz", ".zst"}
_DENIED = {401, 403}
_BROKEN = (pandas.errors.ParserError, pyarrow.ArrowException, UnicodeDecodeError, EOFError, gzip.BadGzipFile)


class Table(NamedTuple):
    """Rows with the fingerprint of the files that they came from."""

    frame: pandas.DataFrame
    digest: str  # sha256 over the digests of the files, in the order of their names
    files: int


def read(data: Data, columns: Sequence[str] | None, also: Sequence[str] = ()) -> Table:
    """Read the rows of `data`.

    Args:
        data: Where they are.
        columns: The features that are wanted, read beside key and target; None reads every column.
        also: Columns that are read where they are there.

    Raises:
        JobError: They are not there, may not be read, are broken, or lack a column.
    """
    wanted = None if columns is None else list(dict.fromkeys([data.key, data.target, *columns]))
    with _failures(data.uri), _local(data.uri) as paths:
        frames = [_parse(path, data, wanted, also) for path in paths]
        digest = hashlib.sha256(b"".join(_sha256(path) for path in paths)).hexdigest()
    frame = frames[0] if len(frames) == 1 else pandas.concat(frames, ignore_index=True)
    return Table(frame, f"sha256:{digest}", len(paths))


@contextmanager
def _local(uri: str) -> Iterator[list[Path]]:
    """The files behind `uri`, sorted by name, as local paths for the length of the block."""
    filesystem, root = fsspec.core.url_to_fs(uri)
    found = sorted(filesystem.glob(root)) if any(char in root for char in "*?[") else [root]
    if not found:
        raise JobError(
            "DataNotFound", f"data.uri {uri} matches no file: check the path, and that it is mounted"
        )
    if "file" in filesystem.protocol:
        yield [Path(path) for path in found]
        return
    with tempfile.TemporaryDirectory(prefix="assay-data-") as scratch:
        paths = [
            Path(scratch) / f"{number:05}-{PurePosixPath(name).name}" for number, name in enumerate(found)
        ]
        for remote, path in zip(found, paths, strict=True):
            filesystem.get_file(remote, str(path))
        yield paths


@contextmanager
def _failures(uri: str) -> Iterator[None]:
    """Every way in which reading fails, as a reason and advice."""
    try:
        yield
    except JobError:
        raise
    except (OSError, ValueError, ImportError, pyarrow.ArrowException, EOFError, *_client_errors()) as error:
        raise _explained(uri, error) from error


def _explained(uri: str, error: BaseException) -> JobError:
    denied = isinstance(error, PermissionError) or getattr(error, "status", None) in _DENIED
    for matches, reason, advice in (
        (isinstance(error, FileNotFoundError), "DataNotFound", "check the path, and that it is mounted"),
        (denied, "DataAccessDenied", "check its credentials and permissions"),
        (isinstance(error, pandas.errors.EmptyDataError), "DataEmpty", "it needs a header and rows"),
        (isinstance(error, _BROKEN), "DataUnreadable", "check data.format and the file"),
        (isinstance(error, ImportError | ValueError), "InvalidSpec", "check data.uri"),
    ):
        if matches:
            return JobError(reason, f"data.uri {uri} cannot be read: {_line(error)}; {advice}")
    return JobError("DataUnreadable", f"data.uri {uri} cannot be read: {_line(error)}; try again or check it")


def _client_errors() -> tuple[type[BaseException], ...]:
    """What the http file system raises; its library is there only where http is wanted."""
    try:
        from aiohttp import ClientError  # noqa: PLC0415  (half a second only for http)
    except ImportError:
        return ()
    return (ClientError,)


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:300]


def _form(path: Path, data: Data) -> str:
    suffixes = [suffix for suffix in path.suffixes if suffix not in _COMPRESSED]
    if form := data.format or _SUFFIXES.get(suffixes[-1] if suffixes else ""):
        return form
    raise JobError(
        "InvalidSpec", f"data.uri {data.uri} has no known suffix: set data.format to CSV or Parquet"
    )


def _parse(path: Path, data: Data, columns: list[str] | None, also: Sequence[str]) -> pandas.DataFrame:
    form = _form(path, data)
    there = _header(path, form)
    wanted = (
        there
        if columns is None
        else list(dict.fromkeys([*columns, *(name for name in also if name in there)]))
    )
    missing = [name for name in dict.fromkeys([data.key, data.target, *wanted]) if name not in there]
    if missing:
        raise JobError(
            "ColumnMissing",
            f"data.uri {data.uri} has no column {', '.join(map(repr, missing))}; it has {_some(there)}",
        )
    if form == "Parquet":
        return pandas.read_parquet(path, columns=wanted)
    # Keys stay text: as numbers, "007" would become 7 and move when an "A7" joins it.
    types: Any = {data.key: "string"}
    return pandas.read_csv(path, usecols=wanted, dtype=types, sep=_separator(path), low_memory=False)[wanted]


def _header(path: Path, form: str) -> list[str]:
    if form == "Parquet":
        from pyarrow import parquet  # noqa: PLC0415

        return list(parquet.read_schema(path).names)
    return list(pandas.read_csv(path, nrows=0, sep=_separator(path)).columns)


def _separator(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


def _some(names: Sequence[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
