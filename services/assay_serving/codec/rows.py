"""JSON rows of named raw features to a `Table`: checked in bulk, one by one only when something is odd."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from assay_artifact import BadValueError, Feature, Table
from assay_artifact.table import Floats, number, numeric, text, textual
from assay_serving.problems import Problem

WHOLE = frozenset({float, int, bool})
NUMBERS = WHOLE | {type(None)}
STRINGS = frozenset({str})


class RowReader:
    """Reads what one model version needs from rows; other columns are ignored, and named in the answer.

    Versions of one model may know different columns, and a client can't know which of them answers it,
    so it may send them all.
    """

    def __init__(self, features: Sequence[Feature], max_rows: int) -> None:
        """Prepare for a version's features."""
        self.features = features
        self.numeric, self.textual = numeric(features), textual(features)
        self.number_names = [feature.name for feature in self.numeric]
        self.names = frozenset(feature.name for feature in features)
        self.demanding = any(not feature.nullable for feature in features)
        self.max_rows = max_rows

    def read(self, body: bytes) -> tuple[Table, list[str]]:
        """Return the rows, and the names of ignored columns of the first row.

        Raises:
            Problem: 400 for what is no JSON or has another shape, 413 for too many rows, 422 for bad values.
        """
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Problem(400, "bad-json", f"the body is no JSON: {error}") from None
        return self.table(_rows(message))

    def table(self, rows: list[Any]) -> tuple[Table, list[str]]:
        """Return parsed rows as a table, and the names of ignored columns of the first row."""
        if len(rows) > self.max_rows:
            raise Problem(413, "too-many-rows", f"{len(rows)} rows; one request may have {self.max_rows}")
        try:
            numbers, whole = self._numbers(rows)
            table = Table(numbers, tuple(self._texts(rows, feature) for feature in self.textual))
            if not (whole and all(STRINGS.issuperset(map(type, values)) for values in table.texts)):
                self._check_nulls(rows, table)
            ignored = () if not rows or rows[0].keys() <= self.names else rows[0].keys() - self.names
        except AttributeError:
            raise _no_object(rows) from None
        except BadValueError as error:
            raise bad_value(error) from None
        return table, sorted(ignored)

    def _numbers(self, rows: list[Any]) -> tuple[Floats, bool]:
        """Return the numbers, and whether it is certain that none is null: JSON has no other than its own."""
        names = self.number_names
        values = [row.get(name) for row in rows for name in names]
        kinds = set(map(type, values))
        if not kinds <= NUMBERS:
            values = [number(row.get(f.name), f, i) for i, row in enumerate(rows) for f in self.numeric]
        return np.array(values, dtype=np.float64).reshape(len(rows), len(names)), kinds <= WHOLE

    def _texts(self, rows: list[Any], feature: Feature) -> list[Any]:
        name = feature.name
        values = [row.get(name) for row in rows]
        if STRINGS.issuperset(map(type, values)):
            return values
        return [text(value, feature, row) for row, value in enumerate(values)]

    def _check_nulls(self, rows: list[Any], table: Table) -> None:
        for row, given in enumerate(rows):
            if given.keys().isdisjoint(self.names):
                wanted = ", ".join(sorted(self.names)[:10])
                raise Problem(422, "no-known-column", f"row {row} has none of the columns: {wanted}", row=row)
        if self.demanding:
            demanded(table, self.features)


def demanded(table: Table, features: Sequence[Feature]) -> None:
    """Check that no required value is null.

    Raises:
        BadValueError: One is.
    """
    for position, feature in enumerate(numeric(features)):
        _demand(feature, np.isnan(table.numbers[:, position]))
    for values, feature in zip(table.texts, textual(features), strict=True):
        _demand(feature, [not isinstance(value, str) for value in values])


def bad_value(error: BadValueError) -> Problem:
    """Return the answer for a value that its column can't have."""
    return Problem(422, "bad-value", str(error), row=error.row, column=error.column)


def _rows(message: Any) -> list[Any]:
    if isinstance(message, dict) and message.keys() == {"rows"}:
        message = message["rows"]
    if not isinstance(message, list):
        raise Problem(400, "bad-shape", 'expected {"rows": [{"column": value, …}, …]}, or the list alone')
    return message


def _no_object(rows: list[Any]) -> Problem:
    row, value = next((row, value) for row, value in enumerate(rows) if not isinstance(value, dict))
    detail = f"row {row} is a {type(value).__name__}, expected an object with a value for each column"
    return Problem(422, "bad-row", detail, row=row)


def _demand(feature: Feature, nulls: Any) -> None:
    if not feature.nullable and any(nulls):
        row = int(np.argmax(nulls))
        raise BadValueError(row, feature.name, f"a {feature.type} is required; it is null or absent")
