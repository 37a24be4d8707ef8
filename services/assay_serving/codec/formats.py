"""Bodies other than JSON rows: an Arrow stream of named columns, a numpy file in the model's order."""

import io
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from assay_artifact import BadValueError, Feature, Table, from_columns
from assay_artifact.table import numeric, textual
from assay_serving.codec.rows import bad_value, demanded
from assay_serving.problems import Problem

ARROW = "application/vnd.apache.arrow.stream"
NPY = "application/x-npy"
MATRIX = 2


def readable() -> frozenset[str]:
    """Return the media types that this process can read beside JSON; Arrow needs a library of its own."""
    return frozenset({NPY, ARROW}) if find_spec("pyarrow") else frozenset({NPY})


def read(kind: str, body: bytes, features: Sequence[Feature], max_rows: int) -> tuple[Table, list[str]]:
    """Return the rows, and the names of ignored columns.

    Raises:
        Problem: 400 for what is not of the type, 413 for too many rows, 422 for bad values.
    """
    columns = arrow(body) if kind == ARROW else npy(body, features)
    table = from_named(columns, features, max_rows)
    return table, sorted(columns.keys() - {feature.name for feature in features})


def arrow(body: bytes) -> Mapping[str, Sequence[Any]]:
    """Return the columns of an Arrow IPC stream."""
    import pyarrow  # noqa: PLC0415  large, and only here

    try:
        table = pyarrow.ipc.open_stream(body).read_all()
    except (pyarrow.ArrowInvalid, OSError, ValueError) as error:
        raise Problem(400, "bad-arrow", f"the body is no Arrow stream: {error}") from None
    return {name: _plain(table[name]) for name in table.column_names}


def npy(body: bytes, features: Sequence[Feature]) -> Mapping[str, Sequence[Any]]:
    """Return the columns of a numpy file; a pickled one is refused."""
    try:
        array = np.load(io.BytesIO(body), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise Problem(400, "bad-npy", f"the body is no numpy file of plain numbers: {error}") from None
    if not isinstance(array, np.ndarray):
        raise Problem(400, "bad-npy", "the body is an archive, expected one array")
    return from_matrix(array, features)


def from_matrix(array: Any, features: Sequence[Feature]) -> Mapping[str, Sequence[Any]]:
    """Return the columns of a matrix that has one for each feature, in order."""
    if texts := [feature.name for feature in textual(features)]:
        raise Problem(422, "needs-names", f"a matrix has no room for texts; send columns {texts} by name")
    if array.ndim != MATRIX or array.shape[1] != len(features):
        detail = f"shape {list(array.shape)}, expected (rows, {len(features)})"
        raise Problem(422, "bad-shape", detail)
    if array.dtype.kind not in "biuf":
        raise Problem(422, "bad-type", f"dtype {array.dtype} is no number")
    return {feature.name: array[:, i] for i, feature in enumerate(features)}


def from_named(columns: Mapping[str, Any], features: Sequence[Feature], max_rows: int) -> Table:
    """Return checked columns as a table.

    Raises:
        Problem: 413 or 422.
    """
    known = [feature.name for feature in features if feature.name in columns]
    if not known:
        raise Problem(
            422, "no-known-column", f"none of the columns {[f.name for f in features][:10]} is there"
        )
    if (rows := max(len(columns[name]) for name in known)) > max_rows:
        raise Problem(413, "too-many-rows", f"{rows} rows; one request may have {max_rows}")
    try:
        table = from_columns(columns, features)
        _finite(table, features)
        demanded(table, features)
    except BadValueError as error:
        raise bad_value(error) from None
    except ValueError as error:
        raise Problem(422, "bad-shape", str(error)) from None
    return table


def _finite(table: Table, features: Sequence[Feature]) -> None:
    infinite = np.isinf(table.numbers)
    if infinite.any():
        row, column = np.argwhere(infinite)[0].tolist()
        raise BadValueError(row, numeric(features)[column].name, "infinity is no value")


def _plain(column: Any) -> Any:
    """Numbers without nulls as an array, everything else as Python values."""
    array = column.combine_chunks()
    kind = str(array.type)
    if array.null_count == 0 and kind in {"double", "float", "int64", "int32", "int16", "int8"}:
        return array.to_numpy(zero_copy_only=False)
    return array.to_pylist()
