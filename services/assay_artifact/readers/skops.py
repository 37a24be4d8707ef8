"""skops: scikit-learn estimators without pickle; only known types are built."""

from pathlib import Path
from typing import Any

from skops.io import get_untrusted_types
from skops.io import load as load_skops

from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import Manifest
from assay_artifact.readers.estimator import EstimatorPredictor
from assay_artifact.trust import refused


def read(path: Path, manifest: Manifest) -> EstimatorPredictor:
    """Read the estimator.

    Raises:
        ArtifactError: UntrustedType, with the names of the types.
    """
    return EstimatorPredictor(estimator(path, manifest.trusted_types), manifest)


def estimator(path: Path, vouched: tuple[str, ...] = ()) -> Any:
    """Return what is in the file, if nobody can object to any type of it.

    Raises:
        ArtifactError: UntrustedType, with the names of the types.
    """
    needed = set(get_untrusted_types(file=path))
    if unknown := refused(needed, vouched):
        raise ArtifactError(
            "UntrustedType", f"{path.name} builds types that are not on the allow-list: {', '.join(unknown)}"
        )
    return load_skops(path, trusted=sorted(needed))
