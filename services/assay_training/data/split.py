"""Who is in the sample, in the test rows, and in which fold: a salted hash of the key, and nothing else.

So a row never changes sides when rows are added, removed or reordered, nor on another machine. Where
the data has a time, the newest rows are the test rows instead.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import compress
from typing import NamedTuple

import numpy as np
import pandas
from numpy.typing import NDArray

from assay_training.spec import Split

TEST = -1
_SPAN = 2.0**64


class Parts(NamedTuple):
    """The place of each row: its fold, or TEST; and the time from which on rows are test rows, if any."""

    fold: NDArray[np.int64]
    cutoff: float | None = None

    @property
    def test(self) -> NDArray[np.bool_]:
        """True for rows that are only looked at once, at the end."""
        return np.equal(self.fold, TEST)

    @property
    def train(self) -> NDArray[np.bool_]:
        """True for rows that models are fitted and chosen on."""
        return np.not_equal(self.fold, TEST)


def uniform(keys: Iterable[str], salt: str, purpose: str) -> NDArray[np.float64]:
    """One number in [0, 1) for each key: 64 bits of BLAKE2b, keyed by the salt, personalised by the purpose.

    Different purposes are independent of each other, as are different salts.

    >>> uniform(["a", "b", "a"], salt="churn", purpose="test").round(4).tolist()
    [0.0793, 0.0914, 0.0793]
    """
    key, person = blake2b(salt.encode()).digest(), purpose.encode()
    first = blake2b(digest_size=8, key=key, person=person)

    def digest(text: str) -> bytes:
        hasher = first.copy()  # half the cost of a new keyed hasher
        hasher.update(text.encode())
        return hasher.digest()

    raw = np.frombuffer(b"".join(map(digest, keys)), dtype=">u8")
    # 64-bit integers next to 2**64 would round up to 1.0 as floats.
    return np.minimum(raw / _SPAN, np.nextafter(1.0, 0.0))


def parts(keys: list[str], split: Split, salt: str, times: NDArray[np.float64] | None = None) -> Parts:
    """Part the rows into test rows and folds.

    Args:
        keys: One a row; equal keys stay together.
        split: The share of test rows and the number of folds.
        salt: Equal salts part equally.
        times: Seconds of each row; with them the newest rows are the test rows.
    """
    cutoff = None
    if times is None:
        test = uniform(keys, salt, "test") < split.test
    else:
        latest = pandas.Series(times).groupby(np.asarray(keys, dtype=object)).transform("max").to_numpy()
        cutoff = (
            float(np.quantile(latest, 1 - split.test)) if split.test_from is None else since(split.test_from)
        )
        test = latest >= cutoff
    fold = np.full(len(keys), TEST, dtype=np.int64)
    fold[~test] = uniform(compress(keys, ~test), salt, "fold") * split.folds
    return Parts(fold, cutoff)


def since(text: str) -> float:
    """Seconds since 1970 of a date, UTC unless it says otherwise."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
