"""What must hold of any data before a model is trained on it: an ordered tuple of small claims.

Each claim looks at the rows and raises `JobError` with the reason, the column, the number and the advice.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas

from assay_training.data.split import TEST, Parts
from assay_training.data.target import Target
from assay_training.errors import JobError
from assay_training.spec import Data, Task

FEWEST_ROWS = 50
EQUAL = 1 - 1e-9
GLANCE = 1000


class Rows(NamedTuple):
    """What the claims look at."""

    frame: pandas.DataFrame
    data: Data
    task: Task
    sampled: bool = False


def has_rows(rows: Rows) -> None:
    """Too few rows teach nothing and test nothing."""
    if rows.frame.empty:
        raise JobError("DataEmpty", f"{rows.data.place} has a header but no rows")
    if len(rows.frame) < FEWEST_ROWS:
        raise JobError(
            "TooFewRows",
            f"data has {len(rows.frame)} rows{' after split.sample' if rows.sampled else ''}, at least "
            f"{FEWEST_ROWS} are needed",
        )


def key_is_unique(rows: Rows) -> None:
    """Rows of one key would be on the same side by luck only; nulls have no side."""
    key, name = rows.frame[rows.data.key], rows.data.key
    if nulls := int(key.isna().sum()):
        raise JobError(
            "KeyNull", f"data.key {name!r} is null in {nulls} rows, first in row {_first(key.isna())}"
        )
    repeated = key.duplicated(keep=False)
    if count := int(repeated.sum()):
        raise JobError(
            "KeyNotUnique",
            f"data.key {name!r} is not unique: {count} rows share a value, e.g. {key[repeated].iloc[0]!r}; "
            "remove the repeated rows or name a column that tells them apart",
        )


def target_is_known(rows: Rows) -> None:
    """A row without its answer cannot teach."""
    missing = rows.frame[rows.data.target].isna()
    if count := int(missing.sum()):
        raise JobError(
            "TargetNull",
            f"data.target {rows.data.target!r} is null in {count} of {len(missing)} rows, first in row "
            f"{_first(missing)}: remove rows whose answer is not known",
        )


def target_varies(rows: Rows) -> None:
    """One answer for all needs no model."""
    column = rows.frame[rows.data.target]
    if column.nunique() == 1:
        word = "class" if rows.task == "Classification" else "value"
        raise JobError(
            "TargetConstant",
            f"data.target {rows.data.target!r} has the single {word} {column.iloc[0]!r}: nothing to learn",
        )


def columns_hold_values(rows: Rows) -> None:
    """A column that is always null would fail in a far place, or worse, not."""
    names = [name for name in rows.frame.columns if name not in rows.data.apart]
    if empty := [str(name) for name in names if rows.frame[name].isna().all()]:
        raise JobError(
            "ColumnAllNull",
            f"column {', '.join(map(repr, empty))} is null in all {len(rows.frame)} rows: leave it out of "
            "training.features or repair the data",
        )


CLAIMS: tuple[Callable[[Rows], None], ...] = (
    has_rows,
    key_is_unique,  # a repeated row may be the cause of what follows
    target_is_known,
    target_varies,
    columns_hold_values,
)


def check(rows: Rows) -> None:
    """Raise the first claim that does not hold."""
    for claim in CLAIMS:
        claim(rows)


def check_leaks(frame: pandas.DataFrame, target: Target, data: Data) -> None:
    """Refuse features that are the target under another name."""
    for name in frame.columns:
        if _is_target(frame[name], target):
            raise JobError(
                "TargetLeaks",
                f"column {name!r} tells data.target {data.target!r} exactly: it is a copy, or known "
                "only after the fact; leave it out of training.features",
            )


def _is_target(column: pandas.Series, target: Target) -> bool:
    if target.classes is not None:
        if len(column) > GLANCE and not _is_target(column.iloc[:GLANCE], target.at(np.arange(GLANCE))):
            return False  # names are given in order of appearance, so what differs early differs for good
        codes, _ = pandas.factorize(column, use_na_sentinel=False)
        answers, _ = pandas.factorize(target.values)
        return bool(np.array_equal(codes, answers))  # equal up to names: one value for each class
    if column.dtype == object or column.isna().any() or column.nunique() == 1:
        return False
    return bool(abs(np.corrcoef(column.to_numpy(np.float64), target.values)[0, 1]) > EQUAL)


def check_classes(target: Target, parts: Parts) -> None:
    """Every class must be in the test rows and in every fold, or metrics have no meaning there."""
    sides = [TEST, *range(int(parts.fold.max()) + 1)]
    for side in sides:
        inside = parts.fold == side
        place = "the test rows" if side == TEST else f"fold {side}"
        if not inside.any():
            raise JobError(
                "TooFewRows", f"{place} would hold none of {len(inside)} rows: give more rows or fewer folds"
            )
        if target.classes is None:
            continue
        counts = np.bincount(target.values[inside].astype(np.int64), minlength=len(target.classes))
        if not counts.all():
            rarest = int(counts.argmin())
            label, total = target.classes[rarest], int((target.values == rarest).sum())
            raise JobError(
                "TooFewRows",
                f"{place} would hold no row of class {label!r} ({total} in all): "
                "give more rows of it, fewer folds or a larger test share",
            )


def _first(mask: pandas.Series) -> int:
    return int(np.flatnonzero(mask.to_numpy())[0]) + 1
