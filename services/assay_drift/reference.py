"""From reference rows to a profile: where the edges are, which categories have a cell of their own."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf, nextafter
from typing import Any, NamedTuple

import numpy as np

from assay_drift.profile import (
    KNOWN,
    MOST_CELLS,
    NUMERIC_KINDS,
    OTHER,
    Categories,
    Column,
    Counts,
    Floats,
    Numeric,
    Presence,
    Profile,
)

BINS = 100
FEW_VALUES = 20  # so many different numbers have a cell each
KNOWN_CATEGORIES = 100
RARE_CATEGORIES = 900  # that are remembered; with more of them nothing can be called unseen


class Rows(NamedTuple):
    """Raw rows as models take them.

    Attributes:
        numbers: (rows, numeric features), NaN for null.
        texts: One sequence of str (anything else is null) for each other feature.
    """

    numbers: Floats
    texts: Sequence[Sequence[Any]]


class Answers(NamedTuple):
    """What a model said.

    Attributes:
        labels: One class for each row, spelled as a str; None for a regression.
        scores: The number that stands for the answer: a probability, or the value; None if there is none.
    """

    labels: Sequence[str] | None
    scores: Floats | None


def profile(
    kinds: Mapping[str, str], rows: Rows, answers: Answers, classes: Sequence[str], threshold: float | None
) -> Profile:
    """Return the profile of a version.

    Args:
        kinds: Kind of each feature by name, in the model's order: number, boolean, date, category or text.
        rows: Reference rows, usually those that it learned from.
        answers: Its answers to rows that it had not seen.
        classes: Every class, spelled as a str; none for a regression.
        threshold: A score at which the answer changes; it becomes an edge.
    """
    numbers, texts = iter(rows.numbers.T), iter(rows.texts)
    features = {
        name: numeric(next(numbers)) if kind in NUMERIC_KINDS else _textual(kind, next(texts))
        for name, kind in kinds.items()
    }
    predictions = dict(_predictions(answers, classes, threshold))
    counts = [int(column.counts.sum()) for column in predictions.values()]
    return Profile(features, predictions, len(rows.numbers), max(counts, default=0))


def numeric(values: Floats, between: float | None = None) -> Numeric:
    """Return a column of numbers with edges at the quantiles, or at every value if they are few.

    A value that is more frequent than a cell should be gets a cell of its own. `between` is one more edge.
    """
    finite = values[np.isfinite(values)]
    edges = _edges(finite)
    if between is not None and len(edges) and edges[0] < between < edges[-1]:
        edges = np.unique([*edges, between])
    empty = Numeric(edges, np.zeros(len(edges) + 2, dtype=np.int64))
    return Numeric(edges, empty.count(values))


def categories(values: Sequence[Any], all_known: Sequence[str] = ()) -> Categories:
    """Return a column of categories; those in `all_known` have a cell even if no row has them."""
    counts = Counter(value for value in values if isinstance(value, str))
    ranked = [value for value, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    most = min(max(len(all_known), KNOWN_CATEGORIES), MOST_CELLS - KNOWN)
    known = list(dict.fromkeys([*all_known, *ranked]))[:most]
    own = set(known)
    rare = [value for value in ranked if value not in own]
    codes = {value: KNOWN + cell for cell, value in enumerate(known)}
    codes |= dict.fromkeys(rare[:RARE_CATEGORIES], OTHER)
    empty = Categories(codes, len(known), len(rare) <= RARE_CATEGORIES, _nothing(KNOWN + len(known)))
    return Categories(codes, len(known), empty.complete, empty.count(values))


def presence(values: Sequence[Any]) -> Presence:
    """Return a column of which only nulls are counted."""
    return Presence(Presence(_nothing(2)).count(values))


def _textual(kind: str, values: Sequence[Any]) -> Column:
    return categories(values) if kind == "category" else presence(values)


def _predictions(
    answers: Answers, classes: Sequence[str], threshold: float | None
) -> Iterator[tuple[str, Column]]:
    if answers.labels is not None:
        yield "label", categories(answers.labels, classes)
    if answers.scores is not None:
        yield ("value" if answers.labels is None else "score"), numeric(answers.scores, threshold)


def _edges(finite: Floats) -> Floats:
    distinct = np.unique(finite)
    if not len(distinct):
        return distinct
    if len(distinct) <= FEW_VALUES:
        chosen = distinct
    else:
        quantiles = np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:], method="inverted_cdf")
        chosen, times = np.unique(quantiles, return_counts=True)
        frequent = chosen[times > 1]
        chosen = np.unique([*chosen, *map(_below, frequent)])
    edges: Floats = np.unique([_below(distinct[0]), *chosen])
    return edges[np.isfinite(edges)]


def _below(value: float) -> float:
    return nextafter(value, -inf)


def _nothing(cells: int) -> Counts:
    return np.zeros(cells, dtype=np.int64)
