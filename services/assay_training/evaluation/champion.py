"""The champion as a bar: its artifact, opened by the serving code, or its image answers the same rows."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pandas

from assay_artifact import ArtifactError, Manifest, Predictor, fetch, load
from assay_training.data.target import Target
from assay_training.errors import JobError
from assay_training.evaluation.endpoint import Endpoint
from assay_training.evaluation.image import Answering
from assay_training.evaluation.metrics import Floats, Predicted
from assay_training.runtime.transient import may_pass
from assay_training.spec import Champion, Gate, Serves, Stored


class ChampionModel(Protocol):
    """A champion that can be asked."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that it wants."""

    def unlike(self, frame: pandas.DataFrame, target: Target) -> str:
        """Why it cannot answer these rows; empty if it can."""

    def answers(self, frame: pandas.DataFrame, target: Target) -> Predicted:
        """Its answers for raw rows, its classes in the order of the target's."""


class Opened(NamedTuple):
    """An artifact that can be asked."""

    manifest: Manifest
    predictor: Predictor

    @property
    def columns(self) -> tuple[str, ...]:
        """See `ChampionModel.columns`."""
        return tuple(feature.name for feature in self.manifest.features)

    def unlike(self, frame: pandas.DataFrame, target: Target) -> str:
        """See `ChampionModel.unlike`."""
        if missing := [name for name in self.columns if name not in frame.columns]:
            return (
                f"the champion cannot be compared, the data lacks its column {', '.join(map(repr, missing))}"
            )
        if set(self.manifest.classes or ()) != set(target.classes or ()):
            return f"the champion cannot be compared, its classes are {list(self.manifest.classes or ())}"
        return ""

    def answers(self, frame: pandas.DataFrame, target: Target) -> Predicted:
        """See `ChampionModel.answers`."""
        found = self.predictor.predict(frame)
        if target.classes is None or found.labels is None or found.probabilities is None:
            return Predicted(None, None, found.values)
        positions = {label: position for position, label in enumerate(target.classes)}
        labels = np.array([positions[label] for label in found.labels], dtype=np.int64)
        order = [(self.manifest.classes or ()).index(label) for label in target.classes]
        return Predicted(labels, _normal(found.probabilities[:, order]), None)


def champion_model(
    champion: Champion | None, gates: Iterable[Gate], into: Path, columns: tuple[str, ...] = ()
) -> ChampionModel | None:
    """The champion, ready to be asked; None if no gate compares with it.

    Args:
        champion: Where it is, if there is one.
        gates: All of the version's.
        into: A folder for its artifact.
        columns: What one is sent that does not say which it wants.

    Raises:
        JobError: As `opened`.
    """
    compared = frozenset(gate.metric for gate in gates if gate.not_worse_than_champion_by is not None)
    if champion is None or not compared:
        return None
    if isinstance(champion, Serves):
        wanted = champion.columns if champion.columns is not None else columns
        return Answering(Endpoint(champion.service, champion.path), wanted, compared)
    return opened(champion, into)


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
            passing=may_pass(error),
        ) from error


def _normal(probabilities: Floats) -> Floats:
    """Rows that add up to one, which those of a single precision model do only nearly."""
    total: Floats = probabilities.sum(axis=1, keepdims=True)
    return probabilities / total
