"""The rows of a job: read, checked, typed and parted, before anything is learned from them."""

from typing import Any, NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from assay_training.data import columns, contract, sample, sanity, source, split
from assay_training.data.target import Target, binned, target
from assay_training.errors import JobError
from assay_training.fitting.candidates import Examples
from assay_training.fitting.cross_validation import Folds
from assay_training.spec import Contract, Job


class Prepared(NamedTuple):
    """The rows of one job, ready to learn from; each value of a feature is held once.

    Attributes:
        table: As read, with the columns only that have a part beside the features.
        inputs: The features.
        target: The target of all rows.
        parts: The side of each row.
        train: The rows that models learn from.
        test: The rows that are judged once.
        observed: What the features were like.
        contract: What later versions are held against.
    """

    table: source.Table
    inputs: columns.Inputs
    target: Target
    parts: split.Parts
    train: Examples
    test: Examples
    observed: dict[str, dict[str, Any]]
    contract: Contract | None

    @property
    def raw_test(self) -> pandas.DataFrame:
        """The test rows as they were read."""
        return self.table.frame[self.parts.test]

    @property
    def folds(self) -> Folds:
        """The rows that models learn from, with their folds."""
        return Folds(self.train, self.parts.fold[self.parts.train])


def prepare(job: Job, champions: tuple[str, ...] = (), pinned: Contract | None = None) -> Prepared:
    """Read the rows, check them, and part them.

    Args:
        job: Which rows.
        champions: Columns that only the champion wants.
        pinned: What the first version saw, which is held where the spec has no contract.

    Raises:
        JobError: The data cannot be trained on.
    """
    data, wanted = job.training.data, job.training.features
    beside = (*champions, *_slices(job), *_group(job))
    table = _checked(job, beside, pinned)
    own = table.frame if wanted is None else table.frame[[*data.apart, *wanted.names]]
    inputs = columns.inputs(own, data, wanted)
    answers = target(own[data.target], job.task, data)
    parts = split.parts(_hashed(job, table.frame), job.training.split, job.salt, _times(job, table.frame))
    sanity.check_classes(answers, parts)
    answers = _shaped(job, answers, parts)
    held = contract.pinned(own, data, pinned, table.total)
    frame = columns.typed(own, inputs)
    kept = [name for name in table.frame.columns if name in (data.key, *beside)]
    table, own = table._replace(frame=table.frame[kept].copy()), None
    sanity.check_leaks(frame, answers, data)
    examples, observed = Examples(frame, answers), contract.observed(frame)
    train, test = examples.at(parts.train), examples.at(parts.test)
    return Prepared(table, inputs, answers, parts, train, test, observed, held)


def _checked(job: Job, beside: tuple[str, ...], pinned: Contract | None) -> source.Table:
    """The rows as they were read, or a sample of them, when they keep all rules."""
    data, wanted = job.training.data, job.training.features
    ruled = tuple(data.contract.columns) if data.contract else ()
    rows = sample.sample_config(data, job.training.split)
    table = source.read(data, None if wanted is None else wanted.names, (*beside, *ruled), rows)
    _there("gates slice by", _slices(job), table.frame)
    _there("split.group is", _group(job), table.frame)
    own = table.frame if wanted is None else table.frame[[*data.apart, *wanted.names]]
    if data.contract is not None:
        contract.check(table.frame, table.total, data.contract, "data.contract")
    elif pinned is not None and not own.empty:
        contract.check_pinned(own, table.total, pinned, listed=wanted is not None)
    sanity.check(sanity.Rows(own, data, job.task, not rows.all))
    return table


def _shaped(job: Job, answers: Target, parts: split.Parts) -> Target:
    """The target with a neutral band, or with bins that the training rows decide."""
    training = job.training
    if training.neutral:
        if answers.positive is None:
            raise JobError(
                "MetricUnfit", f"training.neutral needs two classes, the target is {answers.kind.lower()}"
            )
        answers = answers._replace(neutral=(training.neutral.low, training.neutral.high))
    if training.reframing:
        values = answers.values[parts.train].astype(np.float64)
        answers = answers._replace(bins=binned(values, training.reframing.bins))
    return answers


def _slices(job: Job) -> tuple[str, ...]:
    return tuple({gate.slice for gate in job.gates if gate.slice})


def _there(what: str, names: tuple[str, ...], frame: pandas.DataFrame) -> None:
    if missing := [name for name in names if name not in frame.columns]:
        raise JobError("ColumnMissing", f"{what} {', '.join(map(repr, missing))}, which the data lacks")


def _group(job: Job) -> tuple[str, ...]:
    return (job.training.split.group,) if job.training.split.group else ()


def _hashed(job: Job, frame: pandas.DataFrame) -> list[str]:
    """What decides the side of each row."""
    column = frame[job.training.split.group or job.training.data.key]
    whole = pandas.api.types.is_integer_dtype(column.dtype) and not column.isna().any()
    return list(map(str, column.tolist())) if whole else list(column.astype(str))


def _times(job: Job, frame: pandas.DataFrame) -> NDArray[np.float64] | None:
    """Seconds since 1970 of each row, where the data has a time."""
    name = job.training.data.time
    if name is None:
        return None
    column = frame[name]
    if pandas.api.types.is_numeric_dtype(column):
        seconds: NDArray[np.float64] = column.to_numpy(np.float64)
    else:
        moments = pandas.to_datetime(column, utc=True, errors="coerce", format="ISO8601")
        seconds = (moments - pandas.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(np.float64)
    if wrong := int(np.isnan(seconds).sum()):
        example = str(column[np.isnan(seconds)].iloc[0])[:40]
        raise JobError(
            "ColumnMistyped",
            f"data.time {name!r} is no time in {wrong} rows, e.g. {example!r}: give ISO 8601 or seconds",
        )
    return seconds
