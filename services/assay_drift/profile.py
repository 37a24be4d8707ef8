"""A version's profile: the cells in which its rows are counted, and how many reference rows fell in each.

Cells are fixed when the version is made. So counts of any pods, windows and reference rows may be added, and
only counts ever leave a process, never a value. The first cells of a column are what is not a usual value:

- numeric: null, at or below no edge (too small), then one cell for each pair of edges, then too large;
- categories: null, unseen (no reference row had it), other (a rare one), then one cell for each known value;
- presence (texts): null, not null.

Cells of numbers are closed on the right: a value that equals an edge belongs to the cell below that edge.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = 1
FILE = "profile.json"  # its name beside a model
MOST_COLUMNS = 2_000
MOST_CELLS = 1_000  # of one column
NULL, UNSEEN, OTHER, KNOWN = 0, 1, 2, 3  # cells of a column of categories
NUMERIC_KINDS = frozenset({"number", "boolean", "date"})

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Numeric:
    """A column of numbers.

    Attributes:
        edges: Ascending; the first is just below the least reference value, the last is the largest.
        counts: Reference rows in each cell.
    """

    edges: Floats
    counts: Counts

    @property
    def cells(self) -> int:
        """Return how many cells there are."""
        return len(self.edges) + 2

    def count(self, values: Any) -> Counts:
        """Return how many of the values (floats, NaN is null) fall in each cell."""
        found = np.searchsorted(self.edges, values, side="left") + 1
        found[np.isnan(values)] = NULL
        return np.bincount(found, minlength=self.cells)


@dataclass(frozen=True)
class Categories:
    """A column of categories.

    Attributes:
        codes: Cell by value; rare values share a cell.
        known: How many values have a cell of their own.
        complete: Whether `codes` has every reference value; else nothing counts as unseen.
        counts: Reference rows in each cell.
    """

    codes: Mapping[str, int]
    known: int
    complete: bool
    counts: Counts

    @property
    def cells(self) -> int:
        """Return how many cells there are."""
        return KNOWN + self.known

    def count(self, values: Any) -> Counts:
        """Return how many of the values (what is no str is null) fall in each cell."""
        strange = UNSEEN if self.complete else OTHER
        codes = self.codes
        found = [codes.get(value, strange) if isinstance(value, str) else NULL for value in values]
        return np.bincount(found, minlength=self.cells)


@dataclass(frozen=True)
class Presence:
    """A column of texts, of which only the nulls are counted."""

    counts: Counts

    @property
    def cells(self) -> int:
        """Return how many cells there are."""
        return 2

    def count(self, values: Any) -> Counts:
        """Return how many of the values are null (no str), and how many are not."""
        there = sum(isinstance(value, str) for value in values)
        return np.array([len(values) - there, there], dtype=np.int64)


Column = Numeric | Categories | Presence


@dataclass(frozen=True)
class Profile:
    """All columns of a version.

    Attributes:
        features: By name, in the model's order.
        predictions: `label` and `score` of a classification, `value` of a regression.
        rows: Reference rows of the features.
        answers: Reference rows of the predictions, which the model had not seen.
    """

    features: Mapping[str, Column]
    predictions: Mapping[str, Column]
    rows: int
    answers: int

    def to_bytes(self) -> bytes:
        """Return the profile as a file: equal profiles have equal bytes."""
        document = {
            "schemaVersion": SCHEMA,
            "rows": self.rows,
            "answers": self.answers,
            "features": {name: _as_json(column) for name, column in self.features.items()},
            "predictions": {name: _as_json(column) for name, column in self.predictions.items()},
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def read(content: bytes) -> Profile:
    """Read a profile.

    Raises:
        ValueError: It is none; the message names the column.
    """
    try:
        document = json.loads(content)
        if document["schemaVersion"] != SCHEMA:
            raise ValueError(f"schemaVersion is {document['schemaVersion']!r}, expected {SCHEMA}")
        return Profile(
            _columns(document["features"]),
            _columns(document["predictions"]),
            int(document["rows"]),
            int(document["answers"]),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the profile lacks something: {type(error).__name__}: {error}") from error


def _columns(document: Mapping[str, Any]) -> dict[str, Column]:
    if len(document) > MOST_COLUMNS:
        raise ValueError(f"{len(document)} columns, at most {MOST_COLUMNS}")
    return {name: _checked(name, _column(one)) for name, one in document.items()}


def _as_json(column: Column) -> dict[str, Any]:
    counts = column.counts.tolist()
    if isinstance(column, Numeric):
        return {"kind": "numeric", "edges": column.edges.tolist(), "counts": counts}
    if isinstance(column, Presence):
        return {"kind": "presence", "counts": counts}
    known = [value for value, cell in column.codes.items() if cell != OTHER]
    rare = [value for value, cell in column.codes.items() if cell == OTHER]
    return {"kind": "categories", "known": known, "rare": rare, "complete": column.complete, "counts": counts}


def _column(document: Mapping[str, Any]) -> Column:
    counts = np.array(document["counts"], dtype=np.int64)
    if document["kind"] == "numeric":
        return Numeric(np.array(document["edges"], dtype=np.float64), counts)
    if document["kind"] == "presence":
        return Presence(counts)
    if document["kind"] == "categories":
        known = [str(value) for value in document["known"]]
        codes = {value: KNOWN + cell for cell, value in enumerate(known)}
        return Categories(
            dict.fromkeys(document["rare"], OTHER) | codes, len(known), bool(document["complete"]), counts
        )
    raise ValueError(f"kind {document['kind']!r} is none of numeric, categories and presence")


def _checked(name: str, column: Column) -> Column:
    if column.counts.shape != (column.cells,) or column.cells > MOST_CELLS or (column.counts < 0).any():
        raise ValueError(f"column {name!r}: {len(column.counts)} counts for {column.cells} cells")
    if isinstance(column, Numeric) and not _ascending(column.edges):
        raise ValueError(f"column {name!r}: the edges are not finite and ascending")
    return column


def _ascending(edges: Floats) -> bool:
    return bool(np.isfinite(edges).all()) and all(low < high for low, high in pairwise(edges.tolist()))
