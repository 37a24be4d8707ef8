"""Artifacts: what is in them, how they are written and verified, and how the model in one is loaded.

The trainer and the predictor use the very same code, so a version that passed its gates predicts the
same when it serves. Importing this package imports no model library; `load` imports the one that it needs.
"""

from assay_artifact.errors import ArtifactError
from assay_artifact.fetching import fetch, is_file, read_manifest
from assay_artifact.loading import load
from assay_artifact.manifest import MANIFEST, Band, Bin, Feature, File, Manifest
from assay_artifact.prediction import Prediction, Predictor
from assay_artifact.store import Written, write
from assay_artifact.table import BadValueError, Table, columns, from_columns

__all__ = [
    "MANIFEST",
    "ArtifactError",
    "BadValueError",
    "Band",
    "Bin",
    "Feature",
    "File",
    "Manifest",
    "Prediction",
    "Predictor",
    "Table",
    "Written",
    "columns",
    "fetch",
    "from_columns",
    "is_file",
    "load",
    "read_manifest",
    "write",
]
