"""The profile of a version: what its training rows were like, and its answers to rows that are new to it."""

import pandas

from assay_artifact import Predictor, from_columns
from assay_artifact.prediction import spelled, watched
from assay_drift.reference import Answers, Rows, profile

MOST_ROWS = 100_000  # more move no edge


def reference(predictor: Predictor, train: pandas.DataFrame, test: pandas.DataFrame) -> bytes:
    """Return the profile as a file.

    Args:
        predictor: The form of the model that will be served.
        train: Raw rows that it learned from; every so many-th is taken if there are very many.
        test: Raw rows that it had not seen.
    """
    manifest = predictor.manifest
    table = from_columns(_thinned(train), manifest.features)
    labels, scores = watched(predictor.predict(_thinned(test)), manifest)
    kinds = {feature.name: feature.type for feature in manifest.features}
    classes = [spelled(label) for label in manifest.classes or ()]
    rows, answers = Rows(table.numbers, table.texts), Answers(labels, scores)
    return profile(kinds, rows, answers, classes, manifest.threshold).to_bytes()


def _thinned(frame: pandas.DataFrame) -> pandas.DataFrame:
    return frame.iloc[:: -(-len(frame) // MOST_ROWS)] if len(frame) else frame
