"""skops: the estimator is built for asking, of trusted types only."""

from pathlib import Path

from assay_artifact.descriptions.estimator import described
from assay_artifact.readers.skops import estimator
from assay_artifact.single_file import Description


def describe(path: Path) -> Description:
    """Ask the estimator in a file.

    Raises:
        ArtifactError: UntrustedType, with the names of the types.
    """
    return described(estimator(path))
