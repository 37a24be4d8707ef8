"""What a loaded version can do, and the one place where probabilities become labels."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from assay_artifact.manifest import Manifest
from assay_artifact.table import Columns, Floats, Table


class Prediction(NamedTuple):
    """Answers for some rows.

    Attributes:
        labels: One class for each row; None for a regression.
        probabilities: (rows, classes), in the order of the manifest's classes; None where the model has none.
        values: One number for each row; None for a classification.
        distribution: (rows, bins) of a reframed regression: how likely each bin is.
    """

    labels: NDArray[Any] | None
    probabilities: Floats | None
    values: Floats | None
    distribution: Floats | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        answers = self.labels if self.labels is not None else self.values
        return 0 if answers is None else len(answers)

    def slice(self, start: int, stop: int) -> "Prediction":
        """Return the answers for some of the rows."""
        return Prediction(*(None if part is None else part[start:stop] for part in self))


def spelled(label: Any) -> str:
    """Return a class as a key of a JSON object.

    >>> [spelled(label) for label in ("leaves", 1, True)]
    ['leaves', '1', 'true']
    """
    if isinstance(label, str):
        return label
    return str(label).lower() if isinstance(label, bool) else str(label)


def watched(prediction: Prediction, manifest: Manifest) -> tuple[list[str] | None, Floats | None]:
    """Return what is counted of some answers: labels, and the one number that stands for each answer.

    That is a regression's value, the probability of the positive (or second) of two classes, and of more
    classes the probability of the likeliest.
    """
    if prediction.labels is None:
        return None, prediction.values
    labels = [spelled(label) for label in prediction.labels.tolist()]
    if prediction.probabilities is None:
        return labels, None
    classes = manifest.classes or ()
    if len(classes) == 2:  # noqa: PLR2004  of two, one tells the other
        column = 1 if manifest.positive is None else classes.index(manifest.positive)
        return labels, prediction.probabilities[:, column]
    return labels, prediction.probabilities.max(axis=1)


class Predictor(Protocol):
    """A loaded version. It keeps no state between calls, and is called by one thread at a time."""

    @property
    def manifest(self) -> Manifest:
        """Return what the version says about itself."""

    def predict(self, rows: Table | Columns) -> Prediction:
        """Answer raw rows; a DataFrame is a mapping of columns too.

        Raises:
            BadValueError: A value doesn't fit its feature.
            ValueError: The rows are no table, or the model refuses them.
        """


class Decision:
    """From probabilities to labels: the likeliest class, or by the version's threshold where it has one."""

    def __init__(self, manifest: Manifest) -> None:
        """Prepare for a version's classes."""
        classes = manifest.classes or ()
        self.classes = np.empty(len(classes), dtype=object)
        self.classes[:] = classes
        self.threshold = manifest.threshold
        self.positive = 0 if manifest.threshold is None else classes.index(manifest.positive)

    def __call__(self, probabilities: Floats) -> Prediction:
        """Return labels with the probabilities, (rows, classes)."""
        if self.threshold is None:
            return Prediction(self.classes[probabilities.argmax(axis=1)], probabilities, None)
        positive = probabilities[:, self.positive] >= self.threshold
        return Prediction(
            self.classes[np.where(positive, self.positive, 1 - self.positive)], probabilities, None
        )
