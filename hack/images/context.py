"""The build context of an image: pinned requirements, uv and the install script."""

import shutil
from pathlib import Path

from cluster import wheels
from cluster.settings import REPOSITORY

from .catalog import Image
from .requirements import digest, requirements

CONTAINERFILE = REPOSITORY / "images" / "Containerfile"
INSTALL = CONTAINERFILE.parent / "install.sh"


def key(image: Image, base: str) -> str:
    """Content hash of all that the third-party packages of an image depend on."""
    recipe = (CONTAINERFILE.read_bytes(), INSTALL.read_bytes())
    return digest(base, wheels.UV, requirements(image), *recipe)


def write(image: Image, folder: Path) -> None:
    """Write what the image's `-packages` target copies."""
    (folder / "requirements").mkdir(parents=True, exist_ok=True)
    (folder / "requirements" / f"{image.name}.txt").write_text(requirements(image))
    (folder / "tools").mkdir(exist_ok=True)
    shutil.copy2(INSTALL, folder / "tools")
    shutil.copy2(wheels.uv(), folder / "tools" / "uv")
