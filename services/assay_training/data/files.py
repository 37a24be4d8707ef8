"""Rows from files: csv and parquet from wherever fsspec reaches.

Remote files come once into a scratch folder; local ones are read where they are. Parquet is read column by
column, so that no second copy of all of them is ever held; of a sample only the wanted rows are held.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pandas
from pyarrow import parquet

from assay_training.data.sample import SampleConfig, Sieve
from assay_training.errors import JobError
from assay_training.spec import Data

_SUFFIXES = {".csv": "CSV", ".tsv": "CSV", ".parquet": "Parquet", ".pq": "Parquet"}
_COMPRESSED = {".gz", ".bz2", ".xz", ".zst"}
CHUNK = 65_536

Pick = Callable[[list[str]], list[str]]


@contextmanager
def local(uri: str) -> Iterator[list[Path]]:
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


def fingerprint(paths: Sequence[Path]) -> str:
    """One digest over those of the files, in the order of their names."""
    return hashlib.sha256(b"".join(map(_sha256, paths))).hexdigest()


def parsed(
    paths: Sequence[Path], data: Data, pick: Pick, wanted: SampleConfig
) -> tuple[pandas.DataFrame, int]:
    """The wanted rows of all files, and how many are there; `pick` chooses among the columns of each."""
    if not wanted.all:
        return _sifted(paths, data, pick, wanted)
    frames = [_parse(path, data, pick(_header(path, _form(path, data)))) for path in paths]
    frame = frames[0] if len(frames) == 1 else pandas.concat(frames, ignore_index=True)
    return frame, len(frame)


def _sifted(
    paths: Sequence[Path], data: Data, pick: Pick, wanted: SampleConfig
) -> tuple[pandas.DataFrame, int]:
    sieve = Sieve(wanted)
    forms = {_form(path, data) for path in paths}
    for path in paths:
        for chunk in _chunks(path, _form(path, data), pick):
            sieve.add(chunk)
    rows = sieve.rows()
    return _typed(rows, data) if "CSV" in forms else rows, sieve.rows_read


def _chunks(path: Path, form: str, pick: Pick) -> Iterator[pandas.DataFrame]:
    columns = pick(_header(path, form))
    if form == "Parquet":
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK, columns=columns):
                yield batch.to_pandas()[columns]
        return
    # as text: what a column holds is told by all its rows, not by those of a chunk
    options: Any = {"dtype": str, "keep_default_na": False, "sep": _separator(path)}
    with pandas.read_csv(path, usecols=columns, chunksize=CHUNK, **options) as chunks:
        for chunk in chunks:
            yield chunk[columns]


def _typed(rows: pandas.DataFrame, data: Data) -> pandas.DataFrame:
    text = io.StringIO()
    rows.to_csv(text, index=False)
    text.seek(0)
    types: Any = {data.key: "string"}
    return pandas.read_csv(text, dtype=types, low_memory=False)


def _parse(path: Path, data: Data, columns: list[str]) -> pandas.DataFrame:
    if _form(path, data) == "Parquet":
        return _columns(path, columns)
    # Keys stay text: as numbers, "007" would become 7 and move when an "A7" joins it.
    types: Any = {data.key: "string"}
    return pandas.read_csv(path, usecols=columns, dtype=types, sep=_separator(path), low_memory=False)[
        columns
    ]


def _columns(path: Path, columns: list[str]) -> pandas.DataFrame:
    with parquet.ParquetFile(path) as file:
        found = {name: file.read(columns=[name]).column(0).to_pandas() for name in columns}
    return pandas.DataFrame(found, copy=False)


def _form(path: Path, data: Data) -> str:
    suffixes = [suffix for suffix in path.suffixes if suffix not in _COMPRESSED]
    if form := data.format or _SUFFIXES.get(suffixes[-1] if suffixes else ""):
        return form
    raise JobError(
        "InvalidSpec", f"data.uri {data.uri} has no known suffix: set data.format to CSV or Parquet"
    )


def _header(path: Path, form: str) -> list[str]:
    if form == "Parquet":
        return [name for name in parquet.read_schema(path).names if name != "__index_level_0__"]
    return list(pandas.read_csv(path, nrows=0, sep=_separator(path)).columns)


def _separator(path: Path) -> str:
    return "\t" if ".tsv" in path.suffixes else ","


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
