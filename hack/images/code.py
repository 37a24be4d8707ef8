"""Our own code as a layer: the packages an image needs, byte code beside them, equal for equal sources."""

import shutil
import sys
import tempfile
from pathlib import Path

from cluster.oci import layer
from cluster.settings import HOME, REPOSITORY
from cluster.shell import locked, run

from .catalog import CATALOG, PYTHON, SITE_PACKAGES, Image, folder
from .requirements import digest

VERSION_FILE = REPOSITORY / "pyproject.toml"


def sources(package: str) -> list[tuple[str, bytes]]:
    """Path relative to site-packages and content of every file of a package, sorted; caches left out."""
    root = REPOSITORY / folder(package)
    files = sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return [(f"{package}/{p.relative_to(root)}", p.read_bytes()) for p in files if p.suffix != ".pyc"]


def key(image: Image) -> str:
    """Content hash of the code of an image."""
    parts = [part for package in image.packages for path, content in sources(package) for part in (path, content)]
    return digest(*parts)


def code_layer(image: Image) -> bytes:
    """An uncompressed tar with the image's packages, relative to the root."""
    compiled = _compiled()
    chosen = [p for package in image.packages for p in sorted((compiled / SITE_PACKAGES / package).rglob("*")) if p.is_file()]
    return layer((str(p.relative_to(compiled)), p.read_bytes()) for p in chosen)


def _compiled() -> Path:
    """A folder with every package of ours, compiled once for this state of the sources."""
    packages = sorted({package for image in CATALOG for package in image.packages})
    files = {path: content for package in packages for path, content in sources(package)}
    target = HOME / "images" / "code" / digest(*(part for pair in files.items() for part in pair))
    with locked(HOME / "locks" / "code"):
        if not target.exists():
            _compile(files, target)
    return target


def _compile(files: dict[str, bytes], target: Path) -> None:
    for old in target.parent.glob("*"):
        shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent))
    for path, content in files.items():
        place = part / SITE_PACKAGES / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    # unchecked: no image's clock or file times matter, and a read-only root needs no second look
    run(_python(), "-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash",
        "-s", part, "-p", "/", part)  # fmt: skip
    part.rename(target)


def _python() -> str:
    """An interpreter whose byte code the images understand."""
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    return shutil.which("python{}.{}".format(*PYTHON)) or str(REPOSITORY / ".venv/bin/python")
