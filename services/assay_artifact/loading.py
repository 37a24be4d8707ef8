"""From a verified folder to something that predicts."""

import hashlib
from importlib import import_module
from pathlib import Path

from assay_artifact import archive
from assay_artifact.errors import ArtifactError, reading
from assay_artifact.manifest import Manifest
from assay_artifact.prediction import Predictor
from assay_artifact.reframing import ReframedPredictor


def load(folder: Path, manifest: Manifest, *, allow_pickle: bool = False) -> Predictor:
    """Read the main file with the reader of its format; the reader's libraries are imported only now.

    Args:
        folder: Where `fetch` put the files.
        manifest: What `fetch` returned.
        allow_pickle: Whether a joblib file may be read, which runs code of the file's choice.

    Raises:
        ArtifactError: PickleRefused, ArtifactMissing, DigestMismatch, UntrustedType, ZipBomb,
            ExternalData, BadManifest, ReaderMissing, or Unreadable.
    """
    if manifest.format == "joblib" and not allow_pickle:
        raise ArtifactError(
            "PickleRefused", f"{manifest.file} is a joblib file, which runs code when it is read"
        )
    reader = "plan" if manifest.plan else manifest.format
    path = _verified(folder, manifest, manifest.plan or manifest.file)
    if reader == "skops":
        archive.check(path)  # before the libraries are imported, which takes seconds
    with reading(path.name, reader):
        predictor: Predictor = import_module(f"assay_artifact.readers.{reader}").read(path, manifest.of_model)
    return predictor if manifest.bins is None else ReframedPredictor(predictor, manifest)


def _verified(folder: Path, manifest: Manifest, name: str) -> Path:
    path = (folder / name).resolve()
    if folder.resolve() not in path.parents:
        raise ArtifactError("BadManifest", f"{name} leads out of the folder")
    if not path.is_file():
        raise ArtifactError("ArtifactMissing", f"{path}: no such file")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    expected = manifest.files[name].sha256
    if found != expected:
        raise ArtifactError("DigestMismatch", f"{name} has sha256 {found}, expected {expected}")
    return path
