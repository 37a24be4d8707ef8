"""A fitted pipeline becomes an artifact folder, which is opened again before anybody may use it."""

import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import skops.io

from assay_artifact import ArtifactError, Manifest, Prediction, Written, fetch, load, write
from assay_artifact.trust import refused
from assay_training.canonical import canonical
from assay_training.errors import JobError

MODEL, SAMPLE = "model.skops", "sample.json"
PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "skops", "optuna")


class Sample(NamedTuple):
    """Some raw rows with the answers of the fitted pipeline: what every copy of the model must repeat."""

    rows: pandas.DataFrame
    answers: np.ndarray[Any, Any]  # probabilities, or the values of a regression

    def to_bytes(self) -> bytes:
        """JSON keeps every float exactly."""
        rows = self.rows.astype(object).where(self.rows.notna(), None).to_dict("list")
        return json.dumps({"rows": rows, "answers": self.answers.tolist()}, default=_plain).encode()


def packages() -> dict[str, str]:
    """The versions that this result depends on."""
    return {name: version(name) for name in PACKAGES}


def serialised(model: Any) -> tuple[bytes, tuple[str, ...]]:
    """A pipeline as a skops archive, and the types in it that its author vouches for."""
    archive = canonical(skops.io.dumps(model))
    return archive, tuple(refused(set(skops.io.get_untrusted_types(data=archive)), ()))


def publish(destination: str, archive: bytes, sample: Sample, manifest: Manifest) -> Written:
    """Write the artifact, but only after a copy of it proved to answer the sample identically.

    Raises:
        JobError: It doesn't load or answers otherwise (InfraCheckFailed), or the store refuses
            (ArtifactFailed).
    """
    files = {MODEL: archive, SAMPLE: sample.to_bytes()}
    with tempfile.TemporaryDirectory(prefix="assay-artifact-") as scratch:
        draft = _written(f"file://{scratch}/draft", files, manifest)
        _prove(draft, Path(scratch, "checked"), sample)
        written = _written(destination, files, manifest)
        _prove(written, Path(scratch, "stored"), sample)
    return written


def _written(uri: str, files: dict[str, bytes], manifest: Manifest) -> Written:
    try:
        return write(uri, files, manifest)
    except (ArtifactError, OSError) as error:
        raise JobError(
            "ArtifactFailed", f"the artifact could not be written to {uri}: {error}; nothing is visible"
        ) from error


def _prove(written: Written, folder: Path, sample: Sample) -> None:
    try:
        manifest = fetch(written.uri, written.digest, folder)
        predictor = load(folder, manifest)
        stored = json.loads((folder / SAMPLE).read_bytes())
        answer = predictor.predict(stored["rows"])
    except (ArtifactError, OSError, ValueError) as error:
        raise JobError(
            "InfraCheckFailed", f"the artifact {written.uri} does not load as it would be served: {error}"
        ) from error
    if not np.array_equal(_numbers(answer), sample.answers):
        worst = float(np.abs(_numbers(answer) - sample.answers).max())
        raise JobError(
            "InfraCheckFailed",
            f"the artifact {written.uri} answers its sample otherwise, by up to {worst:.3g}",
        )


def _numbers(answer: Prediction) -> np.ndarray[Any, Any]:
    found = answer.probabilities if answer.probabilities is not None else answer.values
    assert found is not None
    return found


def _plain(value: Any) -> Any:
    """Numpy's scalars and dates, as JSON knows them."""
    return value.item() if hasattr(value, "item") else str(value)
