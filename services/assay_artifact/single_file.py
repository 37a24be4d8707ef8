"""A single file as an artifact: its digest is that of its bytes, and what a manifest says is read from it.

The suffix says the format. Nothing in the file is interpreted before its digest is known to be right. What
can't be learned from it is not guessed: then a folder with a manifest has to say it.
"""

import tempfile
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import ValidationError

from assay_artifact import archive
from assay_artifact.errors import ArtifactError, reading
from assay_artifact.manifest import MANIFEST, Feature, File, Format, Label, Manifest, Task
from assay_artifact.store import MAX_ARTIFACT_BYTES, copied, reached

FORMATS: dict[str, Format] = {
    ".onnx": "onnx",
    ".skops": "skops",
    ".joblib": "joblib",
    ".pkl": "joblib",
    ".json": "xgboost",
    ".ubj": "xgboost",
}


class Description(NamedTuple):
    """What a file says about its model."""

    task: Task
    features: tuple[Feature, ...]
    classes: tuple[Label, ...] | None = None


def undescribed(missing: str) -> ArtifactError:
    """Return the error that a file doesn't say enough."""
    return ArtifactError("Undescribed", f"{missing}; a folder with a {MANIFEST} can say it")


def numbers(count: int) -> tuple[Feature, ...]:
    """Return features of a model that was made from a matrix: f0, f1 and so on."""
    return tuple(Feature(name=f"f{position}", type="number") for position in range(count))


def suffix(uri: str) -> str:
    """Return the suffix of a URL that names a single file; empty if it names a folder.

    >>> suffix("s3://models/churn-7.onnx"), suffix("https://m.org/a.JSON?v=2"), suffix("s3://models/churn-7")
    ('.onnx', '.json', '')
    """
    path = urlsplit(uri).path
    found = "" if path.endswith("/") else PurePosixPath(path).suffix.lower()
    return found if found in FORMATS else ""


def fetch(uri: str, digest: str, into: Path, *, allow_pickle: bool = False) -> Manifest:
    """Copy a file to the empty or absent local folder `into`, verify it, and describe it.

    Raises:
        ArtifactError: PickleRefused, ArtifactMissing, StoreUnavailable, DigestMismatch, TooLarge,
            Undescribed, or what `load` raises of a file that must not be opened.
    """
    ending = suffix(uri)
    form = FORMATS[ending]
    if form == "joblib" and not allow_pickle:
        raise ArtifactError("PickleRefused", f"{uri} is a joblib file, which runs code when it is read")
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"model{ending}"
    file = _copied(uri, digest, path)
    manifest = _manifest(PurePosixPath(urlsplit(uri).path).stem, path.name, file, _described(path, form))
    (into / MANIFEST).write_bytes(manifest.to_bytes())
    return manifest


def read_manifest(uri: str, digest: str) -> Manifest:
    """Return what a file says about itself, for which all of it is read.

    Raises:
        ArtifactError: As `fetch` does.
    """
    with tempfile.TemporaryDirectory(prefix="assay-file-") as name:
        return fetch(uri, digest, Path(name))


def _copied(uri: str, digest: str, path: Path) -> File:
    with reached(uri) as (fs, place), fs.open(place, "rb") as source, path.open("wb") as copy:
        found, size = copied(source, copy, MAX_ARTIFACT_BYTES)
    if size > MAX_ARTIFACT_BYTES:
        raise ArtifactError("TooLarge", f"{uri} has more than {MAX_ARTIFACT_BYTES} bytes")
    if f"sha256:{found}" != digest:
        raise ArtifactError("DigestMismatch", f"{uri} has digest sha256:{found}, expected {digest}")
    return File(sha256=found, bytes=size)


def _manifest(name: str, file: str, content: File, described: Description) -> Manifest:
    try:
        return Manifest(
            model=name,
            version=f"{name}-{content.sha256[:8]}",
            format=FORMATS[PurePosixPath(file).suffix],
            file=file,
            files={file: content},
            **described._asdict(),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "what it says"
        raise undescribed(f"{file}: {where}: {first['msg']}") from None


def _described(path: Path, form: Format) -> Description:
    if form == "skops":
        archive.check(path)
    with reading(path.name, form):
        described: Description = import_module(f"assay_artifact.descriptions.{form}").describe(path)
    return described
