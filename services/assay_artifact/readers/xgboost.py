"""XGBoost's own JSON: no pickle; numeric features only."""

from importlib import import_module
from os import environ
from pathlib import Path
from typing import Any

import numpy as np

from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import Manifest
from assay_artifact.prediction import Decision, Prediction, Predictor
from assay_artifact.table import NUMERIC, Columns, Table, from_columns


class XgboostPredictor:
    """A booster with one thread, unless told otherwise."""

    def __init__(self, booster: Any, manifest: Manifest) -> None:
        """Wrap a booster."""
        self.booster, self.manifest = booster, manifest
        self.decision = Decision(manifest)

    def predict(self, rows: Table | Columns) -> Prediction:
        """Answer raw rows; a binary model's one column becomes two."""
        table = rows if isinstance(rows, Table) else from_columns(rows, self.manifest.features)
        answer = np.asarray(self.booster.inplace_predict(table.numbers), dtype=np.float64)
        if self.manifest.task == "Regression":
            return Prediction(None, None, answer)
        return self.decision(np.stack([1 - answer, answer], axis=1) if answer.ndim == 1 else answer)


def read(path: Path, manifest: Manifest) -> Predictor:
    """Read the booster.

    Raises:
        ArtifactError: A feature is not numeric.
    """
    if texts := [feature.name for feature in manifest.features if feature.type not in NUMERIC]:
        raise ArtifactError("BadManifest", f"an XGBoost file takes numbers only; {texts} are not")
    booster = import_module("xgboost").Booster()
    booster.load_model(str(path))
    booster.set_param({"nthread": int(environ.get("ASSAY_MODEL_THREADS", "1"))})
    return XgboostPredictor(booster, manifest)
