"""The rows of a job: read, checked, typed and parted, before anything is learned from them."""

from typing import NamedTuple

import pandas

from assay_training import columns, contract, sanity, source, split
from assay_training.crossval import Folds
from assay_training.errors import JobError
from assay_training.fitting import Examples
from assay_training.spec import Job
from assay_training.target import Target, target


class Prepared(NamedTuple):
    """The rows of one job, ready to learn from.

    Attributes:
        table: As read, with columns that only the champion or a slice wants.
        inputs: The features.
        examples: All rows, typed.
        parts: The side of each row.
    """

    table: source.Table
    inputs: columns.Inputs
    examples: Examples
    parts: split.Parts

    @property
    def target(self) -> Target:
        """The target of all rows."""
        return self.examples.target

    @property
    def test(self) -> Examples:
        """The rows that are judged once."""
        return self.examples.at(self.parts.test)

    @property
    def raw_test(self) -> pandas.DataFrame:
        """The same rows with all their columns, as they were read."""
        return self.table.frame[self.parts.test]

    @property
    def train(self) -> Examples:
        """The rows that models learn from."""
        return self.examples.at(self.parts.train)

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
    slices = tuple({gate.slice for gate in job.gates if gate.slice})
    ruled = tuple(data.contract.columns) if data.contract else ()
    table = source.read(
        data, None if wanted is None else wanted.names, (*champions, *slices, *ruled, *_group(job))
    )
    _there("gates slice by", slices, table.frame)
    _there("split.group is", _group(job), table.frame)
    contract.check(table.frame, data)
    own = table.frame if wanted is None else table.frame[[data.key, data.target, *wanted.names]]
    sanity.check(own, data, job.task)
    if job.training.split.sample < 1:
        table = table._replace(frame=_sample(table.frame, job))
        own = own.loc[table.frame.index]
    inputs = columns.inputs(own, data, wanted)
    answers = target(own[data.target], job.task, data)
    frame = columns.typed(own, inputs)
    sanity.check_leaks(frame, answers, data)
    parts = split.parts(_hashed(job, table.frame), job.training.split, job.salt)
    sanity.check_classes(answers, parts)
    return Prepared(table, inputs, Examples(frame, answers), parts)


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
