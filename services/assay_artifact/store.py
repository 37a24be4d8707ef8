"""Artifact folders on any fsspec file system: written at once or not at all, verified before they open."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import fsspec
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import MANIFEST, File, Manifest, digest_of, parse

CHUNK = 1 << 20
PLAN = "plan.npz"
MAX_MANIFEST_BYTES = 4 << 20
MAX_ARTIFACT_BYTES = 8 << 30
CLIENTS = {"aiohttp", "botocore", "aiobotocore", "azure", "gcsfs", "google"}  # errors of no common kind
Content = Path | bytes
_COMMON = (OSError, ValueError, ImportError)


class Written(NamedTuple):
    """Where an artifact is, which one it is, and how large (bytes of all files with the manifest)."""

    uri: str
    digest: str
    bytes: int


def write(folder_uri: str, files: Mapping[str, Content], manifest: Manifest) -> Written:
    """Write an artifact below `folder_uri`, in a folder named by its digest.

    Nobody ever sees half of it: locally the folder appears by one rename, elsewhere `manifest.json` is
    written last. To write equal content again changes nothing, so a retry is safe; different content gets
    a folder of its own, so that what already serves is never touched. A skops pipeline that can be expressed
    as plain arrays, with bit for bit the same answers, gets them beside it (`plan`).

    Args:
        folder_uri: Any fsspec URL, such as `file:///artifacts/demo/churn/churn-2` or `s3://bucket/churn-2`.
        files: Content by name relative to the folder; must have the manifest's `file`.
        manifest: Its `files` are filled in here.

    Raises:
        ArtifactError: A name leaves the folder, the main file is missing, or the store refuses.
    """
    files, manifest = _with_plan(files, manifest)
    described = {name: _describe(content) for name, content in sorted(files.items())}
    content = Manifest.model_validate({**dict(manifest), "files": described}).to_bytes()
    digest = digest_of(content)
    parse(content, digest)
    uri = f"{folder_uri.rstrip('/')}/{digest.removeprefix('sha256:')[:16]}"
    written = Written(uri, digest, len(content) + sum(file.bytes for file in described.values()))
    try:
        fs, path = url_to_fs(uri)
        if not fs.exists(f"{path}/{MANIFEST}"):
            _place(fs, path, {**files, MANIFEST: content})
    except Exception as error:
        if not is_of_store(error):
            raise
        raise ArtifactError("StoreUnavailable", f"cannot write {uri}: {_reason(error)}") from error
    return written


def fetch(uri: str, digest: str, into: Path) -> Manifest:
    """Copy an artifact folder to the empty or absent local folder `into`, and verify every byte of it.

    Nothing is interpreted before its digest is known to be right: the manifest's is the one asked for,
    and the manifest holds those of the files. Files that it doesn't list are not copied.

    Raises:
        ArtifactError: ArtifactMissing, StoreUnavailable, DigestMismatch, BadManifest, or TooLarge.
    """
    with reached(uri) as (fs, path):
        into.mkdir(parents=True, exist_ok=True)
        manifest = parse(_small(fs, f"{path}/{MANIFEST}"), digest)
        if (total := sum(file.bytes for file in manifest.files.values())) > MAX_ARTIFACT_BYTES:
            raise ArtifactError("TooLarge", f"{uri} has {total} bytes, at most {MAX_ARTIFACT_BYTES} are read")
        for name, expected in manifest.files.items():
            with fs.open(f"{path}/{name}", "rb") as source:
                _copy_verified(source, into / name, expected)
        (into / MANIFEST).write_bytes(manifest.to_bytes())
    return manifest


def read_manifest(uri: str, digest: str) -> Manifest:
    """Return what an artifact folder says about itself, without its files.

    Raises:
        ArtifactError: ArtifactMissing, StoreUnavailable, DigestMismatch, BadManifest, or TooLarge.
    """
    with reached(uri) as (fs, path):
        return parse(_small(fs, f"{path}/{MANIFEST}"), digest)


@contextmanager
def reached(uri: str) -> Iterator[tuple[fsspec.AbstractFileSystem, str]]:
    """Give the file system of a URL and the path in it; whatever keeps one from reading there is told.

    Raises:
        ArtifactError: ArtifactMissing, or StoreUnavailable.
    """
    try:
        yield url_to_fs(uri)
    except FileNotFoundError as error:
        raise ArtifactError("ArtifactMissing", f"{uri}: no such file: {error.filename or error}") from None
    except Exception as error:
        if not is_of_store(error):
            raise
        raise ArtifactError("StoreUnavailable", f"cannot read {uri}: {_reason(error)}") from error


def is_of_store(error: Exception) -> bool:
    """Tell whether a store or its client says no; anything else is a fault of ours."""
    return isinstance(error, _COMMON) or type(error).__module__.partition(".")[0] in CLIENTS


def _reason(error: Exception) -> str:
    return (str(error) if isinstance(error, _COMMON) else repr(error))[:1000]


def _with_plan(files: Mapping[str, Content], manifest: Manifest) -> tuple[Mapping[str, Content], Manifest]:
    """Add the plan of a pipeline, where it has one; a plan that is named but not there is of another copy."""
    if manifest.plan in files:
        return files, manifest
    manifest = manifest.model_copy(update={"plan": None})
    if manifest.format != "skops" or manifest.file not in files:
        return files, manifest
    compiled = import_module("assay_artifact.compilation").compiled
    plan = compiled(files[manifest.file], manifest.of_model)
    if plan is None:
        return files, manifest
    return {**files, PLAN: plan}, manifest.model_copy(update={"plan": PLAN})


def _describe(content: Content) -> File:
    if isinstance(content, bytes):
        return File(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    with content.open("rb") as file:
        return File(sha256=hashlib.file_digest(file, "sha256").hexdigest(), bytes=content.stat().st_size)


def _place(fs: fsspec.AbstractFileSystem, path: str, files: Mapping[str, Content]) -> None:
    if isinstance(fs, LocalFileSystem):
        _place_locally(Path(path), files)
        return
    for name, content in files.items():  # the manifest is the last, and makes it an artifact
        if isinstance(content, bytes):
            fs.pipe_file(f"{path}/{name}", content)
        else:
            fs.put_file(str(content), f"{path}/{name}")


def _place_locally(folder: Path, files: Mapping[str, Content]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
    draft.chmod(0o755)
    try:
        for name, content in files.items():
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                (draft / name).write_bytes(content)
            else:
                shutil.copyfile(content, draft / name)
        draft.rename(folder)
    except OSError:
        if not (folder / MANIFEST).exists():  # unless somebody else wrote the same meanwhile
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _small(fs: fsspec.AbstractFileSystem, path: str) -> bytes:
    with fs.open(path, "rb") as source:
        content: bytes = source.read(MAX_MANIFEST_BYTES + 1)
    if len(content) > MAX_MANIFEST_BYTES:
        raise ArtifactError("TooLarge", f"{path} is larger than {MAX_MANIFEST_BYTES} bytes")
    return content


def _copy_verified(source: Any, target: Path, expected: File) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as copy:
        found, size = copied(source, copy, expected.bytes)
    if size != expected.bytes:
        raise ArtifactError("DigestMismatch", f"{target.name} is not of {expected.bytes} bytes")
    if found != expected.sha256:
        raise ArtifactError("DigestMismatch", f"{target.name} has sha256 {found}, expected {expected.sha256}")


def copied(source: Any, copy: BinaryIO, limit: int) -> tuple[str, int]:
    """Copy no more than `limit` bytes and one chunk; return the digest and size of what was read."""
    digest, size = hashlib.sha256(), 0
    while size <= limit and (chunk := source.read(CHUNK)):
        copy.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size
