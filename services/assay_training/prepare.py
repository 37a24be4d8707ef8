"""The rows of a job: read, checked, typed and parted, before anything is learned from them."""

from typing import Any, NamedTuple

import pandas

from assay_training import columns, contract, sanity, source, split
from assay_training.crossval import Folds
from assay_training.errors import JobError
from assay_training.fitting import Examples
from assay_training.spec import Job
from assay_training.target import Target, target


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
    """

    table: source.Table
    inputs: columns.Inputs
    target: Target
    parts: split.Parts
    train: Examples
    test: Examples
    observed: dict[str, dict[str, Any]]

    @property
    def raw_test(self) -> pandas.DataFrame:
        """The test rows as they were read."""
        return self.table.frame[self.parts.test]

    @property
    def folds(self) -> Folds:
        """The rows that models learn from, with their folds."""
        return Folds(self.train, self.parts.fold[self.parts.train])


def prepare(job: Job, champions: tuple[str, ...] = ()) -> Prepared:
    """Read the rows, check them, and part them; `champions` names columns that only the champion wants.

    Raises:
        JobError: The data cannot be trained on.
    """
    data, wanted = job.training.data, job.training.features
    beside = (*champions, *_slices(job), *_group(job))
    table = _checked(job, beside)
    own = table.frame if wanted is None else table.frame[[data.key, data.target, *wanted.names]]
    inputs = columns.inputs(own, data, wanted)
    answers = target(own[data.target], job.task, data)
    parts = split.parts(_hashed(job, table.frame), job.training.split, job.salt)
    sanity.check_classes(answers, parts)
    frame = columns.typed(own, inputs)
    kept = [name for name in table.frame.columns if name in (data.key, *beside)]
    table, own = table._replace(frame=table.frame[kept]), None
    sanity.check_leaks(frame, answers, data)
    examples, seen = Examples(frame, answers), contract.observed(frame)
    return Prepared(table, inputs, answers, parts, examples.at(parts.train), examples.at(parts.test), seen)


def _checked(job: Job, beside: tuple[str, ...]) -> source.Table:
    """The rows as they were read, or a sample of them, when they keep all rules."""
    data, wanted = job.training.data, job.training.features
    ruled = tuple(data.contract.columns) if data.contract else ()
    table = source.read(data, None if wanted is None else wanted.names, (*beside, *ruled))
    _there("gates slice by", _slices(job), table.frame)
    _there("split.group is", _group(job), table.frame)
    contract.check(table.frame, data)
    sanity.check(
        table.frame if wanted is None else table.frame[[data.key, data.target, *wanted.names]], data, job.task
    )
    return table._replace(frame=_sample(table.frame, job)) if job.training.split.sample < 1 else table


def _slices(job: Job) -> tuple[str, ...]:
    return tuple({gate.slice for gate in job.gates if gate.slice})


def _there(what: str, names: tuple[str, ...], frame: pandas.DataFrame) -> None:
    if missing := [name for name in names if name not in frame.columns]:
        raise JobError("ColumnMissing", f"{what} {', '.join(map(repr, missing))}, which the data lacks")


def _group(job: Job) -> tuple[str, ...]:
    return (job.training.split.group,) if job.training.split.group else ()


def _hashed(job: Job, frame: pandas.DataFrame) -> list[str]:
    """What decides the side of each row."""
    texts: list[str] = frame[job.training.split.group or job.training.data.key].astype(str).tolist()
    return texts


def _sample(frame: pandas.DataFrame, job: Job) -> pandas.DataFrame:
    keys = frame[job.training.data.key].astype(str).tolist()
    kept = frame[split.sampled(keys, job.training.split.sample)]
    if len(kept) < sanity.FEWEST_ROWS:
        raise JobError("TooFewRows", f"split.sample leaves {len(kept)} of {len(keys)} rows: raise it")
    return kept
