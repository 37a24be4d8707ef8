"""The target: classes as numbers for classification, floats for regression."""

from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray
from pandas.api import types

from assay_training.errors import JobError
from assay_training.spec import Data, Task

BINARY = 2
MOST_CLASSES = 200

Label = bool | int | float | str


class Target(NamedTuple):
    """What models learn: `values[i]` is the position in `classes`, or the number itself in a regression."""

    values: NDArray[np.float64] | NDArray[np.int64]
    classes: tuple[Label, ...] | None
    positive: int | None  # position of the positive class, when there are two
    threshold: float | None = None  # least probability of the positive class; None: the likelier class
    neutral: tuple[float, float] | None = None  # between these probabilities of it the model abstains
    bins: "Bins | None" = None  # of a reframed regression

    @property
    def answers(self) -> NDArray[Any]:
        """What estimators are fitted to: the classes themselves, the numbers, or the bins that hold them."""
        if self.bins is not None:
            return self.bins.of(self.values)
        return self.values if self.classes is None else np.array(self.classes)[self.values]

    def taught(self, *, positions: bool) -> NDArray[Any]:
        """The answers as an estimator wants them: the classes, or their positions."""
        return self.values if positions and self.bins is None else self.answers

    def at(self, rows: NDArray[Any]) -> "Target":
        """Return the same target for some rows: a mask or positions."""
        return self._replace(values=self.values[rows])

    def decided(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """Positions of the classes that these probabilities (rows, classes) speak for."""
        if self.threshold is None or self.positive is None:
            likeliest: NDArray[np.int64] = probabilities.argmax(axis=1)
            return likeliest
        chosen = probabilities[:, self.positive] >= self.threshold
        labels: NDArray[np.int64] = np.where(chosen, self.positive, 1 - self.positive)
        return labels

    @property
    def positive_class(self) -> Label | None:
        """The positive class itself, when there are two."""
        return None if self.positive is None or self.classes is None else self.classes[self.positive]

    @property
    def kind(self) -> str:
        """Binary, Multiclass or Regression."""
        if self.classes is None:
            return "Regression"
        return "Binary" if len(self.classes) == BINARY else "Multiclass"


class Bins(NamedTuple):
    """Bins of the target in a reframed regression: a number becomes its bin, a distribution becomes its mean.

    Attributes:
        edges: Between the bins, ascending; one fewer than bins.
        means: Of the training rows in each bin.
    """

    edges: NDArray[np.float64]
    means: NDArray[np.float64]

    def of(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """The bin of each value."""
        found: NDArray[np.int64] = np.searchsorted(self.edges, values, side="right").astype(np.int64)
        return found

    def back(self, probabilities: NDArray[np.float64], known: NDArray[Any]) -> NDArray[np.float64]:
        """The mean of each distribution (rows, known bins)."""
        values: NDArray[np.float64] = (probabilities * self.means[known]).sum(axis=1)
        return values


def binned(values: NDArray[np.float64], count: int) -> Bins:
    """Bins of nearly equal frequency; fewer, where many values are equal."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)[1:-1]))
    edges = edges[(edges > values.min()) & (edges <= values.max())]
    codes = np.searchsorted(edges, values, side="right")
    kept = np.unique(codes)
    edges = edges[kept[1:] - 1]
    codes = np.searchsorted(edges, values, side="right")
    return Bins(edges, np.bincount(codes, weights=values) / np.bincount(codes))


def target(column: pandas.Series, task: Task, data: Data) -> Target:
    """Read the target of `task`; the column has no nulls and is not constant.

    Raises:
        JobError: It doesn't fit the task.
    """
    return _numbers(column, data) if task == "Regression" else _classes(column, data)


def _numbers(column: pandas.Series, data: Data) -> Target:
    try:
        values = pandas.to_numeric(column).to_numpy(np.float64)
    except (ValueError, TypeError) as error:
        raise JobError(
            "TargetUnfit",
            f"data.target {data.target!r} is not numeric, e.g. {str(column.iloc[0])[:40]!r}: use task "
            "Classification",
        ) from error
    if not np.isfinite(values).all():
        raise JobError("TargetUnfit", f"data.target {data.target!r} has infinite values: remove these rows")
    return Target(values, None, None)


def _classes(column: pandas.Series, data: Data) -> Target:
    column = _plain(column)
    found = sorted(column.unique().tolist())
    if len(found) > MOST_CLASSES:
        raise JobError(
            "TargetUnfit",
            f"data.target {data.target!r} has {len(found)} classes, more than {MOST_CLASSES}: use task "
            "Regression",
        )
    positions = {label: position for position, label in enumerate(found)}
    values = column.map(positions).to_numpy(np.int64)
    return Target(values, tuple(found), _positive(found, data))


def _plain(column: pandas.Series) -> pandas.Series:
    """Labels of one type that can be sorted: what is neither boolean nor a whole number is text."""
    if types.is_bool_dtype(column) or types.infer_dtype(column) == "boolean":
        return column.astype(bool)
    if types.is_integer_dtype(column) or (types.is_float_dtype(column) and (column % 1 == 0).all()):
        return column.astype("int64")
    return column.astype(str).astype(object)


def _positive(found: list[Label], data: Data) -> int | None:
    if data.positive is None:
        return 1 if len(found) == BINARY else None
    if len(found) != BINARY:
        raise JobError("InvalidSpec", f"data.positive is for two classes, {data.target!r} has {len(found)}")
    names = [str(label) for label in found]
    if data.positive not in names:
        raise JobError(
            "InvalidSpec", f"data.positive {data.positive!r} is none of the classes {', '.join(names)}"
        )
    return names.index(data.positive)
