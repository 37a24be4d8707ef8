"""A fitted pipeline to a plan: where it is written, with scikit-learn at hand."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assay_artifact import archive
from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import Manifest
from assay_artifact.plan.columns import UnsupportedError, encoding, flat
from assay_artifact.plan.models import model
from assay_artifact.plan.predictor import Plan, to_bytes
from assay_artifact.plan.proof import agrees
from assay_artifact.readers.estimator import EstimatorPredictor
from assay_artifact.readers.skops import read


def compiled(content: Path | bytes, manifest: Manifest) -> bytes | None:
    """Return the plan of a skops file as a file; None if it has none, or if the file can't be read."""
    with TemporaryDirectory(prefix="assay-plan-") as folder:
        path = Path(folder, "model.skops")
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        try:
            archive.check(path)
            predictor = read(path, manifest)
        except (ArtifactError, ValueError, TypeError, KeyError, AttributeError, ImportError):
            return None  # to say why is the business of `load`
    return planned(predictor, manifest)


def planned(predictor: EstimatorPredictor, manifest: Manifest) -> bytes | None:
    """Return the plan of a pipeline as a file, if it has one that proved itself."""
    *steps, last = flat(predictor.estimator)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plan = Plan(encoding(steps, manifest.features), *model(last))
    except (UnsupportedError, ValueError):
        return None

    def answers(table: Any) -> Any:
        answer = predictor.predict(table)
        return answer.values if answer.probabilities is None else answer.probabilities

    return to_bytes(plan) if agrees(plan, answers, manifest) else None
