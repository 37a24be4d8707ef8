"""Raw rows in the one form that training and serving share, so that a model sees the same from both.

Numbers, booleans (1 and 0) and dates (seconds since 1970, UTC) are float64 with NaN for null; categories and
texts are str with NaN for null (what pandas has in a column of objects). A category that arrives as a number
is spelled as people would: 3, 3.0 and "3" are one category, as a null among integers makes floats of them.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay_artifact.manifest import Feature

Floats = NDArray[np.float64]
Columns = Mapping[str, Any]
NUMERIC = frozenset({"number", "boolean", "date"})
NAN = math.nan
BLOCK = 4096  # rows that are turned at once, so that they stay in the processor's cache


class Table(NamedTuple):
    """Rows of raw features, ready for a model.

    Attributes:
        numbers: (rows, numeric features), in the manifest's order.
        texts: One list of str or NaN for each other feature, in the manifest's order.
    """

    numbers: Floats
    texts: tuple[list[Any], ...]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.numbers)

    def slice(self, start: int, stop: int) -> "Table":
        """Return some of the rows."""
        return Table(self.numbers[start:stop], tuple(text[start:stop] for text in self.texts))


class BadValueError(ValueError):
    """A value that its feature can't have."""

    def __init__(self, row: int, column: str, problem: str) -> None:
        """Say where and what."""
        super().__init__(f"row {row}, column {column!r}: {problem}")
        self.row, self.column, self.problem = row, column, problem


def numeric(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Return the features that `Table.numbers` holds, in its order."""
    return tuple(feature for feature in features if feature.type in NUMERIC)


def textual(features: Sequence[Feature]) -> tuple[Feature, ...]:
    """Return the features that `Table.texts` holds, in its order."""
    return tuple(feature for feature in features if feature.type not in NUMERIC)


def concatenate(tables: Sequence[Table]) -> Table:
    """Put tables of equal features under each other."""
    if len(tables) == 1:
        return tables[0]
    texts = zip(*(table.texts for table in tables), strict=True)
    return Table(
        np.concatenate([table.numbers for table in tables]),
        tuple(list(chain.from_iterable(column)) for column in texts),
    )


def columns(table: Table, features: Sequence[Feature]) -> dict[str, NDArray[Any]]:
    """Return the table as named columns in the manifest's order, as a DataFrame is made of."""
    numbers, texts = iter(table.numbers.T), iter(table.texts)
    return {f.name: next(numbers) if f.type in NUMERIC else objects(next(texts)) for f in features}


def objects(values: Sequence[Any]) -> NDArray[Any]:
    """Return one column of str or NaN as pandas would hold it."""
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def from_columns(source: Columns, features: Sequence[Feature]) -> Table:
    """Bring a DataFrame, or a mapping of columns, into the shared form; a missing column is all null.

    Raises:
        BadValueError: A value doesn't fit its feature.
        ValueError: There is no column of a known name, or the columns differ in length.
    """
    lengths = {len(source[feature.name]) for feature in features if feature.name in source}
    if len(lengths) != 1:
        raise ValueError(f"columns of {sorted(lengths)} rows for {[feature.name for feature in features]}")
    (rows,) = lengths
    numbers = np.empty((rows, len(numeric(features))))
    values = [np.asarray(_numbers(source, feature, rows)) for feature in numeric(features)]
    for start in range(0, rows, BLOCK):
        for position, column in enumerate(values):
            numbers[start : start + BLOCK, position] = column[start : start + BLOCK]
    return Table(numbers, tuple(_texts(source, feature, rows) for feature in textual(features)))


def _values(source: Columns, feature: Feature, rows: int) -> Sequence[Any]:
    return source[feature.name] if feature.name in source else [None] * rows


def _numbers(source: Columns, feature: Feature, rows: int) -> Any:
    values = _values(source, feature, rows)
    kind = getattr(getattr(values, "dtype", None), "kind", "O")
    if isinstance(kind, str) and kind in "biuf" and isinstance(values.dtype, np.dtype):  # type: ignore[attr-defined]
        return values
    return [number(value, feature, row) for row, value in enumerate(values)]


def _texts(source: Columns, feature: Feature, rows: int) -> list[Any]:
    return [text(value, feature, row) for row, value in enumerate(_values(source, feature, rows))]


def number(value: Any, feature: Feature, row: int = 0) -> float:
    """Return one value of a numeric feature as a float; null is NaN.

    Raises:
        BadValueError: The value is no number (boolean, date).
    """
    if is_null(value):
        return NAN
    if isinstance(value, bool | int | float | np.number | np.bool_):
        return float(value)
    if feature.type == "date":
        return _seconds(value, feature, row)
    raise BadValueError(row, feature.name, f"expected a {feature.type}, got {_shown(value)}")


def text(value: Any, feature: Feature, row: int = 0) -> Any:
    """Return one value of a category or text as a str; null is NaN.

    >>> [text(value, Feature(name="plan", type="category")) for value in ("a", 3, 3.0, 2.5, True)]
    ['a', '3', '3', '2.5', 'true']

    Raises:
        BadValueError: The value is a list or an object.
    """
    if type(value) is str:
        return value
    if is_null(value):
        return NAN
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, int | float | np.number):
        whole = float(value).is_integer()
        return str(int(value)) if whole else repr(float(value))
    if isinstance(value, str | date):
        return str(value)
    raise BadValueError(row, feature.name, f"expected a {feature.type}, got {_shown(value)}")


def is_null(value: Any) -> bool:
    """Say whether a value stands for a missing one: None, NaN, NaT or pandas' NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return isinstance(value, float) and value != value  # noqa: PLR0124  only NaN differs from itself


def _seconds(value: Any, feature: Feature, row: int) -> float:
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else value.isoformat())
    except (ValueError, AttributeError):
        problem = f"expected an ISO 8601 date, got {_shown(value)}"
        raise BadValueError(row, feature.name, problem) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _shown(value: Any) -> str:
    shown = repr(value)
    return f"{type(value).__name__} {shown[:40]}{'…' if len(shown) > 40 else ''}"  # noqa: PLR2004
