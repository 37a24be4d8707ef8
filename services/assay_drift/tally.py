"""Counting what was served on the cells of a profile, some columns left out."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from assay_drift.profile import NUMERIC_KINDS, Categories, Counts, Numeric, Profile
from assay_drift.reference import Answers, Rows


class Delta(NamedTuple):
    """Counts of some rows, which may be added to those of others with the same profile.

    Attributes:
        rows: How many rows were counted.
        features: Counts by name; columns that are left out are not there at all.
        predictions: Counts by name.
    """

    rows: int
    features: Mapping[str, Counts]
    predictions: Mapping[str, Counts]

    def plain(self) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        features = {name: counts.tolist() for name, counts in self.features.items()}
        predictions = {name: counts.tolist() for name, counts in self.predictions.items()}
        return {"rows": self.rows, "features": features, "predictions": predictions}


class Tally:
    """Adds up counts until they are taken."""

    def __init__(self, profile: Profile, kinds: Mapping[str, str], exclude: Collection[str] = ()) -> None:
        """Count on the cells of a profile.

        Args:
            profile: Of the version.
            kinds: Kind of each feature by name, in the model's order.
            exclude: Features of which nothing is counted.

        Raises:
            ValueError: The profile is of other features.
        """
        numbers = [name for name, kind in kinds.items() if kind in NUMERIC_KINDS]
        texts = [name for name, kind in kinds.items() if kind not in NUMERIC_KINDS]
        if profile.features.keys() != kinds.keys() or any(
            isinstance(profile.features[name], Numeric) != (name in numbers) for name in kinds
        ):
            raise ValueError(
                f"the profile is of {list(profile.features)[:10]}, the model of {list(kinds)[:10]}"
            )
        self.profile = profile
        self.numbers = [(i, name) for i, name in enumerate(numbers) if name not in exclude]
        self.texts = [(i, name) for i, name in enumerate(texts) if name not in exclude]
        self._clear()

    def add(self, rows: Rows, answers: Answers) -> None:
        """Count rows with their answers."""
        self.rows += len(rows.numbers)
        columns = self.profile.features
        for position, name in self.numbers:
            self.features[name] += columns[name].count(rows.numbers[:, position])
        for position, name in self.texts:
            self.features[name] += columns[name].count(rows.texts[position])
        for name, column in self.profile.predictions.items():
            if isinstance(column, Categories) and answers.labels is not None:
                self.predictions[name] += column.count(answers.labels)
            elif isinstance(column, Numeric) and answers.scores is not None:
                self.predictions[name] += column.count(answers.scores)

    def take(self) -> Delta:
        """Return what was counted since the last time, and begin anew."""
        taken = Delta(self.rows, self.features, self.predictions)
        self._clear()
        return taken

    def _clear(self) -> None:
        columns, counted = self.profile.features, [name for _, name in (*self.numbers, *self.texts)]
        self.rows = 0
        self.features = {name: np.zeros(columns[name].cells, dtype=np.int64) for name in counted}
        self.predictions = {
            name: np.zeros(column.cells, dtype=np.int64) for name, column in self.profile.predictions.items()
        }
