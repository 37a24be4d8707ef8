"""joblib: reading one runs code of the file's choice, so `load` comes here only after an explicit yes."""

from pathlib import Path
from typing import Any

import joblib

from assay_artifact.manifest import Manifest
from assay_artifact.prediction import Predictor
from assay_artifact.readers.estimator import EstimatorPredictor


def read(path: Path, manifest: Manifest) -> Predictor:
    """Read the estimator, and run whatever its pickle says."""
    return EstimatorPredictor(estimator(path), manifest)


def estimator(path: Path) -> Any:
    """Return what is in the file, and run whatever its pickle says."""
    return joblib.load(path)
