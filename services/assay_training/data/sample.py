"""Some rows of many, in bounded memory: those of the smallest hash, whatever the order in which they come."""

from typing import NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from assay_training.data.split import uniform
from assay_training.spec import Data, Split


class SampleConfig(NamedTuple):
    """Which rows are wanted.

    Attributes:
        key: The column whose hash decides.
        share: Of all rows.
        most: Rows at most; None for any number.
    """

    key: str
    share: float
    most: int | None

    @property
    def all(self) -> bool:
        """Whether every row is wanted."""
        return self.share >= 1 and self.most is None


def sample_config(data: Data, split: Split) -> SampleConfig:
    """What the spec wants."""
    return SampleConfig(data.key, split.sample, split.max_rows)


class Sieve:
    """Takes rows chunk by chunk, and holds little more than it will give."""

    def __init__(self, wanted: SampleConfig) -> None:
        """Begin with nothing."""
        self._wanted = wanted
        self._below = wanted.share
        self._chunks: list[pandas.DataFrame] = []
        self._hashes: list[NDArray[np.float64]] = []
        self._held = 0
        self.rows_read = 0

    def add(self, chunk: pandas.DataFrame) -> None:
        """Take some more rows."""
        self.rows_read += len(chunk)
        # a salt of its own: that a row is in the sample says nothing about its side
        hashes = uniform(chunk[self._wanted.key].astype(str).tolist(), "sample", "sample")
        kept = hashes < self._below if self._below < 1 else np.ones(len(chunk), dtype=bool)
        self._chunks.append(chunk[kept])
        self._hashes.append(hashes[kept])
        self._held += int(kept.sum())
        if self._wanted.most is not None and self._held > 2 * self._wanted.most:
            self._shrink(self._wanted.most)

    def rows(self) -> pandas.DataFrame:
        """The wanted rows, in the order in which they came."""
        if self._wanted.most is not None and self._held > self._wanted.most:
            self._shrink(self._wanted.most)
        return pandas.concat(self._chunks, ignore_index=True)

    def _shrink(self, most: int) -> None:
        hashes = np.concatenate(self._hashes)
        rows = np.sort(np.argpartition(hashes, most - 1)[:most])
        self._below = float(hashes[rows].max())
        self._chunks = [pandas.concat(self._chunks, ignore_index=True).iloc[rows]]
        self._hashes = [hashes[rows]]
        self._held = most
