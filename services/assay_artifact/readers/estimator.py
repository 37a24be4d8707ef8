"""A fitted scikit-learn pipeline on raw rows: the same call offline and behind HTTP."""

from typing import Any

import numpy as np
import pandas as pd

from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import Manifest
from assay_artifact.prediction import Decision, Prediction
from assay_artifact.table import Columns, Table, columns, from_columns


class EstimatorPredictor:
    """Any estimator with scikit-learn's interface, fed with a DataFrame in the manifest's order."""

    def __init__(self, estimator: Any, manifest: Manifest) -> None:
        """Wrap an estimator whose classes are the manifest's."""
        self.estimator, self.manifest = estimator, manifest
        self.decision = Decision(manifest)
        self.unnamed = not hasattr(estimator, "feature_names_in_") and hasattr(estimator, "n_features_in_")
        if manifest.task == "Classification":
            _check_classes(estimator, manifest)

    def predict(self, rows: Table | Columns) -> Prediction:
        """Answer raw rows."""
        table = rows if isinstance(rows, Table) else from_columns(rows, self.manifest.features)
        frame = self._framed(table)
        if self.manifest.task == "Regression":
            return Prediction(None, None, np.asarray(self.estimator.predict(frame), dtype=np.float64))
        if hasattr(self.estimator, "predict_proba"):
            return self.decision(np.asarray(self.estimator.predict_proba(frame)))
        labels = np.asarray(self.estimator.predict(frame))
        named = self.decision.classes[labels] if self.manifest.positions else labels.astype(object)
        return Prediction(named, None, None)

    def _framed(self, table: Table) -> Any:
        """What was fitted on a matrix gets one, else scikit-learn warns of names that it never saw."""
        if self.unnamed and not table.texts:
            return table.numbers
        frame = pd.DataFrame(columns(table, self.manifest.features), copy=False)
        return frame.to_numpy(dtype=object) if self.unnamed else frame


def _check_classes(estimator: Any, manifest: Manifest) -> None:
    found = [
        getattr(label, "item", lambda label=label: label)() for label in getattr(estimator, "classes_", ())
    ]
    classes = manifest.classes or ()
    if found != list(range(len(classes)) if manifest.positions else classes):
        message = f"the model has classes {found[:20]}, the manifest {list(classes)[:20]}"
        raise ArtifactError("BadManifest", message)
