"""Which columns a version may see, and of what kind: as the spec says, or inferred and then pinned.

Rows take the very form in which the predictor sees them (`assay_artifact.table`), so that training and
serving agree.
"""

from typing import NamedTuple

import pandas
from pandas.api import types

from assay_artifact import BadValueError, Feature, columns, from_columns
from assay_training.errors import JobError
from assay_training.spec import Data, Features

WORDS = 4  # columns with this many words a row or more, and hardly a repeated value, are text
WIDE = 100  # more values than this get no column each
DISTINCT = 1000  # more values than this in a column that nobody listed is an identifier, not a category


class Inputs(NamedTuple):
    """The features of a version, in the order of the data."""

    features: tuple[Feature, ...]
    wide: tuple[str, ...] = ()  # categories with so many values that the rare ones are put together

    @property
    def numeric(self) -> list[str]:
        """Names of what is a number to the model."""
        return [feature.name for feature in self.features if feature.type in ("number", "boolean")]

    @property
    def categorical(self) -> list[str]:
        """Names of categories."""
        return [feature.name for feature in self.features if feature.type == "category"]

    @property
    def dates(self) -> list[str]:
        """Names of moments, in seconds since 1970 to the model."""
        return [feature.name for feature in self.features if feature.type == "date"]

    @property
    def text(self) -> list[str]:
        """Names of free texts."""
        return [feature.name for feature in self.features if feature.type == "text"]


def inputs(frame: pandas.DataFrame, data: Data, wanted: Features | None) -> Inputs:
    """Name the features and their types.

    Raises:
        JobError: A column is of no kind that a model can use, or no feature is left.
    """
    listed = {} if wanted is None else _listed(wanted)
    names = [str(name) for name in frame.columns if name not in data.apart]
    found = tuple(Feature(name=name, type=_type(frame[name], listed.get(name))) for name in names)
    if not found:
        raise JobError("ColumnMissing", f"{data.place} has no feature beside key and target: add columns")
    return Inputs(
        found, tuple(each.name for each in found if each.type == "category" and _is_wide(frame[each.name]))
    )


def typed(frame: pandas.DataFrame, inputs: Inputs) -> pandas.DataFrame:
    """The features alone, as the predictor will see them: floats, and text objects, with NaN for null.

    Raises:
        JobError: A value doesn't fit its column, such as a word in a column that the spec calls numeric.
    """
    try:
        table = from_columns(frame, inputs.features)
        if not table.texts:  # one block of numbers, which estimators take without copying it
            names = [feature.name for feature in inputs.features]
            return pandas.DataFrame(table.numbers, columns=names, copy=False)
        return pandas.DataFrame(columns(table, inputs.features), copy=False)
    except BadValueError as error:
        raise JobError(
            "ColumnMistyped",
            f"column {error.column!r}, row {error.row + 1}: {error.problem}; list the column under "
            "another kind in training.features, or repair the data",
        ) from error


def _listed(wanted: Features) -> dict[str, str]:
    kinds = {
        "number": wanted.numeric, "category": wanted.categorical, "text": wanted.text, "date": wanted.date,
    }  # fmt: skip
    return {name: kind for kind, names in kinds.items() for name in names}


def _type(column: pandas.Series, listed: str | None) -> str:
    if _is_boolean(column) and listed in (None, "number"):
        return "boolean"
    if listed is not None:
        return listed
    if types.is_numeric_dtype(column):
        return "number"
    if types.is_datetime64_any_dtype(column) or _holds(column, "date", "datetime"):
        return "date"
    return _wording(column)


def _is_boolean(column: pandas.Series) -> bool:
    return bool(types.is_bool_dtype(column)) or _holds(column, "boolean")


def _holds(column: pandas.Series, *kinds: str) -> bool:
    return column.dtype == object and types.infer_dtype(column, skipna=True) in kinds


def _is_wide(column: pandas.Series) -> bool:
    return bool(column.nunique() > WIDE)


def _wording(column: pandas.Series) -> str:
    values = column.dropna().astype(str)
    distinct = values.nunique()
    if distinct > len(values) / 2 and values.str.count(r"\S+").mean() >= WORDS:
        return "text"
    if distinct > DISTINCT:
        raise JobError(
            "TooManyCategories",
            f"column {column.name!r} has {distinct} different values, more than the {DISTINCT} of a "
            "category: list the columns to use in training.features (under categorical, its rare values "
            "become one; under text, its words count)",
        )
    return "category"
