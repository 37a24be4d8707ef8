"""A look at a zip file's directory before anything in it is unpacked."""

import zipfile
from pathlib import Path

from assay_artifact.errors import ArtifactError

MAX_UNPACKED_BYTES = 4 << 30
FREE_BYTES = 64 << 20  # below this no ratio is suspicious
MAX_RATIO = 40  # model weights don't compress better than this
MAX_MEMBERS = 200_000


def check(path: Path) -> None:
    """Refuse a file that would unpack to far more than it is.

    The sizes in the directory are binding: Python's reader stops at them.

    Raises:
        ArtifactError: Unreadable, or ZipBomb.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise ArtifactError("Unreadable", f"{path.name} is no zip file: {error}") from None
    unpacked = sum(member.file_size for member in members)
    limit = min(MAX_UNPACKED_BYTES, max(FREE_BYTES, MAX_RATIO * path.stat().st_size))
    if unpacked > limit or len(members) > MAX_MEMBERS:
        found = f"{len(members)} members of {unpacked} bytes in {path.stat().st_size}"
        raise ArtifactError("ZipBomb", f"{path.name} unpacks to {found}, at most {limit} bytes are allowed")
