"""joblib: what a file says is known only when it has run, which needs an explicit yes."""

from pathlib import Path

from assay_artifact.descriptions.estimator import described
from assay_artifact.readers.joblib import estimator
from assay_artifact.single_file import Description


def describe(path: Path) -> Description:
    """Ask the estimator in a file."""
    return described(estimator(path))
