"""From raw rows to the matrix that the model was fitted on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay_artifact.table import Floats, Table

Ints = NDArray[np.intp]


@dataclass(frozen=True)
class Numbers:
    """Numeric columns: null becomes `fill` (NaN keeps it), then minus `shift`, then divided by `scale`.

    Attributes:
        source: Positions in the table's numbers.
        target: Positions in the matrix.
        fill: In place of null.
        shift: Subtracted; 0 does nothing, exactly.
        scale: Divided by; 1 does nothing, exactly.
    """

    source: Ints
    target: Ints
    fill: Floats
    shift: Floats
    scale: Floats

    def into(self, matrix: Floats, table: Table) -> None:
        """Write these columns of the matrix."""
        numbers = table.numbers[:, self.source]
        numbers = np.where(np.isnan(numbers), self.fill, numbers)
        numbers -= self.shift
        numbers /= self.scale
        matrix[:, self.target] = numbers


@dataclass(frozen=True)
class Lookup:
    """One column of categories: each known value, null and any other have their row of `outputs`.

    Attributes:
        source: Position in the table's texts.
        codes: Row of `outputs` by value.
        null: Row of a null.
        unseen: Row of a value that isn't known.
        target: Positions in the matrix.
        outputs: (codes and two more, target).
    """

    source: int
    codes: Mapping[str, int]
    null: int
    unseen: int
    target: Ints
    outputs: Floats

    def into(self, matrix: Floats, table: Table) -> None:
        """Write these columns of the matrix."""
        codes = [self._code(value) for value in table.texts[self.source]]
        matrix[:, self.target] = self.outputs[codes]

    def _code(self, value: Any) -> int:
        if isinstance(value, str):
            return self.codes.get(value, self.unseen)
        return self.null


@dataclass(frozen=True)
class Encoding:
    """All columns of the matrix; those that no part writes are constant.

    Attributes:
        constant: One row of the matrix.
        parts: What writes the others.
    """

    constant: Floats
    parts: tuple[Numbers | Lookup, ...]

    def __call__(self, table: Table) -> Floats:
        """Return the matrix, (rows, width)."""
        matrix = np.empty((len(table), len(self.constant)))
        matrix[:] = self.constant
        for part in self.parts:
            part.into(matrix, table)
        return matrix
