"""The champion as a bar: its artifact, opened by the serving code, answers the same test rows."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas

from assay_artifact import ArtifactError, Manifest, Predictor, fetch, load
from assay_training.errors import JobError
from assay_training.metrics import Floats, Predicted
from assay_training.spec import Stored
from assay_training.target import Target


class Opened(NamedTuple):
    """A champion that can be asked."""

    manifest: Manifest
    predictor: Predictor

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that it wants."""
        return tuple(feature.name for feature in self.manifest.features)


def opened(champion: Stored, into: Path) -> Opened:
    """Fetch and verify the champion.

    Raises:
        JobError: It cannot be fetched, is not what its digest says, or does not load.
    """
    try:
        manifest = fetch(champion.uri, champion.digest, into, allow_pickle=champion.allow_pickle)
        return Opened(manifest, load(into, manifest, allow_pickle=champion.allow_pickle))
    except ArtifactError as error:
        raise JobError(
            "ChampionUnreadable",
            f"the champion's artifact {champion.uri} cannot be used for comparison: {error}",
        ) from error


def unlike(champion: Opened, frame: pandas.DataFrame, target: Target) -> str:
    """Why the champion cannot answer these rows; empty if it can."""
    if missing := [name for name in champion.columns if name not in frame.columns]:
        return f"the champion cannot be compared, the data lacks its column {', '.join(map(repr, missing))}"
    if set(champion.manifest.classes or ()) != set(target.classes or ()):
        return f"the champion cannot be compared, its classes are {list(champion.manifest.classes or ())}"
    return ""


def answers(champion: Opened, frame: pandas.DataFrame, target: Target) -> Predicted:
    """The champion's answers for raw rows, its classes in the order of the target's."""
    found = champion.predictor.predict(frame)
    if target.classes is None or found.labels is None or found.probabilities is None:
        return Predicted(None, None, found.values)
    positions = {label: position for position, label in enumerate(target.classes)}
    labels = np.array([positions[label] for label in found.labels], dtype=np.int64)
    order = [(champion.manifest.classes or ()).index(label) for label in target.classes]
    return Predicted(labels, _normal(found.probabilities[:, order]), None)


def _normal(probabilities: Floats) -> Floats:
    """Rows that add up to one, which those of a single precision model do only nearly."""
    total: Floats = probabilities.sum(axis=1, keepdims=True)
    return probabilities / total
