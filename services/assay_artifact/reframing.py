"""A regression that was learned as a distribution over bins, and is answered as its mean."""

import numpy as np

from assay_artifact.manifest import Manifest
from assay_artifact.prediction import Prediction, Predictor
from assay_artifact.table import Columns, Table


class ReframedPredictor:
    """Asks a classifier of bins, and goes back to numbers."""

    def __init__(self, classifier: Predictor, manifest: Manifest) -> None:
        """Wrap a predictor whose classes are the positions of the manifest's bins."""
        self.classifier, self.manifest = classifier, manifest
        self.means = np.array([each.mean for each in manifest.bins or ()])

    def predict(self, rows: Table | Columns) -> Prediction:
        """Answer raw rows."""
        shares = self.classifier.predict(rows).probabilities
        if shares is None:
            raise ValueError("a model over bins must give probabilities")
        return Prediction(None, None, (shares * self.means).sum(axis=1), shares)
