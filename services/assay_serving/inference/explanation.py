"""Why a score is what it is: Shapley values against the version's own sample of rows.

For each row, features are switched one by one from those of a background row to its own, in random order and
in the reverse of it; what the score moves is the feature's share. The shares of every walk add up to the
score minus the background's, so their means do too. For a model that adds up a term for each feature one walk
is exact; for others the means converge (Castro, Gomez and Tejada, 2009); a time budget gives their number.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from assay_artifact import Feature, Manifest, Prediction, Predictor, Table
from assay_artifact.plan.predictor import PlanPredictor
from assay_artifact.plan.scoring import Linear
from assay_artifact.table import NUMERIC, Floats

BACKGROUND = 100  # rows of the sample that are used
FEWEST_WALKS = 8
MOST_WALKS = 400
CHUNK = 4096  # rows in one call of the model
SPACES = {"logit": "log-odds", "softmax": "log-odds up to a constant", "log": "log of the value"}


class Explanation(NamedTuple):
    """Shares of some rows.

    Attributes:
        base: (rows,), the mean score of the background.
        scores: (rows,).
        contributions: (rows, features); they add up to score minus base.
        walks: How many orders were tried.
        exact: Whether more walks would change nothing.
    """

    base: Floats
    scores: Floats
    contributions: Floats
    walks: int
    exact: bool


class Rows(NamedTuple):
    """Raw rows as two matrices, so that features can be switched by masks."""

    numbers: Floats
    texts: Any

    @classmethod
    def of(cls, table: Table) -> "Rows":
        """Return a table as matrices."""
        texts = np.empty((len(table), len(table.texts)), dtype=object)
        for position, text in enumerate(table.texts):
            texts[:, position] = text
        return cls(table.numbers, texts)

    def table(self) -> Table:
        """Return the matrices as a table."""
        return Table(self.numbers, tuple(column.tolist() for column in self.texts.T))


class Explainer:
    """Explains one version."""

    def __init__(self, predictor: Predictor, sample: Table, seconds_of: Callable[[int], float]) -> None:
        """Use the first rows of the sample; `seconds_of` says what a call with so many rows takes."""
        self.predictor, self.seconds_of = predictor, seconds_of
        features = predictor.manifest.features
        self.width = len(features)
        self.numeric = [i for i, f in enumerate(features) if f.type in NUMERIC]
        self.textual = [i for i, f in enumerate(features) if f.type not in NUMERIC]
        self.background = Rows.of(sample.slice(0, BACKGROUND))
        self.additive = isinstance(predictor, PlanPredictor) and isinstance(predictor.plan.model, Linear)
        self.space = _space(predictor)

    def __call__(self, table: Table, columns: Sequence[int], seconds: float) -> Explanation:
        """Explain rows; `columns` says which column of the scores is meant for each row."""
        scores = self._scores(table)[np.arange(len(table)), columns]
        known = self._scores(self.background.table())
        walks = self._walks(len(table), seconds)
        rng = np.random.default_rng(0)
        rows, shares, bases = Rows.of(table), np.zeros((len(table), self.width)), np.zeros(len(table))
        used = np.arange(walks) % len(known)
        for row, column in enumerate(columns):
            shares[row] = self._shares(rows, row, column, used, rng)
            bases[row] = known[used, column].mean()
        return Explanation(bases, scores, shares, walks, self.additive)

    def _walks(self, rows: int, seconds: float) -> int:
        """As many as the budget allows; each background row as often as the others if there are enough."""
        size = len(self.background.numbers)
        if self.additive:
            return size
        affordable = int(seconds / max(1e-9, rows * self.seconds_of(CHUNK) / CHUNK * 2 * (self.width + 1)))
        walks = min(MOST_WALKS, max(FEWEST_WALKS, affordable))
        return walks - walks % size if walks > size else walks

    def _shares(self, rows: Rows, row: int, column: int, used: Any, rng: np.random.Generator) -> Floats:
        total, step = np.zeros(self.width), max(1, CHUNK // (2 * (self.width + 1)))
        for start in range(0, len(used), step):
            backgrounds = used[start : start + step]
            orders = rng.permuted(np.tile(np.arange(self.width), (len(backgrounds), 1)), axis=1)
            for order in (orders,) if self.additive else (orders, orders[:, ::-1]):
                total += self._walked(rows, row, column, backgrounds, order)
        return total / len(used) / (1 if self.additive else 2)

    def _walked(self, rows: Rows, row: int, column: int, backgrounds: Any, orders: Any) -> Floats:
        """Sum of the shares over some walks."""
        rank = np.argsort(orders, axis=1)[:, np.newaxis, :]
        own = (rank < np.arange(self.width + 1)[np.newaxis, :, np.newaxis]).reshape(-1, self.width)
        behind = np.repeat(backgrounds, self.width + 1)
        mixed = Rows(
            np.where(own[:, self.numeric], rows.numbers[row], self.background.numbers[behind]),
            np.where(own[:, self.textual], rows.texts[row], self.background.texts[behind]),
        )
        scores = self._scores(mixed.table())[:, column].reshape(len(orders), self.width + 1)
        shares = np.zeros(self.width)
        np.add.at(shares, orders, np.diff(scores, axis=1))
        return shares

    def _scores(self, table: Table) -> Floats:
        """Return (rows, columns): log-odds where the model has them, else probabilities or values."""
        predictor = self.predictor
        if isinstance(predictor, PlanPredictor):
            scores = predictor.plan.model(predictor.plan.encoding(table))
            return np.concatenate([-scores, scores], axis=1) if predictor.plan.link == "logit" else scores
        return _answered(predictor.predict(table))


def explained(prediction: Prediction, manifest: Manifest) -> tuple[list[int], list[Any]]:
    """Return each row's column that is explained, and its class: the positive of two, or the likeliest."""
    if prediction.labels is None:
        return [0] * len(prediction), [None] * len(prediction)
    classes = list(manifest.classes or ())
    if len(classes) == 2:  # noqa: PLR2004  of two classes, one speaks for both
        column = 1 if manifest.positive is None else classes.index(manifest.positive)
        return [column] * len(prediction), [classes[column]] * len(prediction)
    labels = prediction.labels.tolist()
    return [classes.index(label) for label in labels], labels


def spelled(features: Sequence[Feature], shares: Floats) -> dict[str, float]:
    """Return one row's shares by name."""
    return dict(zip((feature.name for feature in features), shares.tolist(), strict=True))


def _answered(prediction: Prediction) -> Floats:
    if prediction.probabilities is not None:
        return prediction.probabilities
    if prediction.values is None:
        raise ValueError("the model gives labels only")
    return prediction.values[:, np.newaxis]


def _space(predictor: Predictor) -> str:
    regression = predictor.manifest.task == "Regression"
    plain = "value" if regression else "probability"
    return SPACES.get(predictor.plan.link, plain) if isinstance(predictor, PlanPredictor) else plain
