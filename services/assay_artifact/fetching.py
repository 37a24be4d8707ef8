"""An artifact by its address: a folder with a manifest, or a single file, which describes itself."""

from pathlib import Path

from assay_artifact import single_file, store
from assay_artifact.errors import ArtifactError
from assay_artifact.manifest import Manifest


def fetch(uri: str, digest: str, into: Path, *, form: str = "", allow_pickle: bool = False) -> Manifest:
    """Copy an artifact to the empty or absent local folder `into`, and verify every byte of it.

    Args:
        uri: Any fsspec URL. It names a file if it ends as one (`single_file.FORMATS`), else a folder.
        digest: `sha256:` and that of the file, or of the folder's manifest.
        into: Where `load` finds what it needs.
        form: The format that it must have; any if empty.
        allow_pickle: Whether a single joblib file may be read, which runs code of the file's choice.

    Raises:
        ArtifactError: FormatMismatch, ArtifactMissing, StoreUnavailable, DigestMismatch, BadManifest,
            TooLarge, Undescribed, or what `load` raises of a file that must not be opened.
    """
    ending = single_file.suffix(uri)
    if ending:
        _agrees(f"a file that ends in {ending}", single_file.FORMATS[ending], form)
        return single_file.fetch(uri, digest, into, allow_pickle=allow_pickle)
    manifest = store.fetch(uri.rstrip("/"), digest, into)
    _agrees("the manifest", manifest.format, form)
    return manifest


def read_manifest(uri: str, digest: str) -> Manifest:
    """Return what an artifact says about itself; of a folder, without its files.

    Raises:
        ArtifactError: As `fetch` does.
    """
    if is_file(uri):
        return single_file.read_manifest(uri, digest)
    return store.read_manifest(uri.rstrip("/"), digest)


def is_file(uri: str) -> bool:
    """Say whether a URL names a single file rather than a folder."""
    return bool(single_file.suffix(uri))


def _agrees(who: str, found: str, wanted: str) -> None:
    if wanted not in ("", found):
        raise ArtifactError("FormatMismatch", f"{who} says {found}, the Model asks for {wanted}")
