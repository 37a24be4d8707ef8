"""Our own code as a layer: the packages an image needs, byte code beside them, equal for equal sources."""

import re
import shutil
import sys
import tempfile
import tomllib
from functools import cache
from pathlib import Path

from cluster.oci import layer
from cluster.settings import HOME, REPOSITORY
from cluster.shell import locked, run

from .catalog import PYTHON, SITE_PACKAGES, Image, folder
from .requirements import digest

IMPORT = re.compile(rb"^\s*(?:from|import) (assay_\w+)", re.MULTILINE)


@cache
def excluded() -> frozenset[Path]:
    """Files that the wheel leaves out, by pyproject.toml."""
    targets = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    return frozenset(REPOSITORY / name for name in targets["wheel"]["exclude"])


@cache
def sources(package: str) -> list[tuple[str, bytes]]:
    """Path relative to site-packages and content of every file of a package, sorted, as in the wheel."""
    root = REPOSITORY / folder(package)
    found = {p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    files = sorted(found - excluded())
    return [(f"{package}/{p.relative_to(root)}", p.read_bytes()) for p in files if p.suffix != ".pyc"]


def packages(image: Image) -> list[str]:
    """The packages of ours that the image needs: its own and all that they import, sorted."""
    needed, fresh = set[str](), {*image.beside, *([image.package] if image.package else [])}
    while fresh:
        needed |= fresh
        fresh = {name for package in fresh for name in imports(package)} - needed
    return sorted(needed)


def imports(package: str) -> set[str]:
    """Packages of ours that a package's modules import, wherever in a file."""
    return {
        name.decode()
        for path, content in sources(package)
        if path.endswith(".py")
        for name in IMPORT.findall(content)
    }


def key(image: Image) -> str:
    """Content hash of the code of an image."""
    parts = [
        part for package in packages(image) for path, content in sources(package) for part in (path, content)
    ]
    return digest(*parts)


def code_layer(image: Image) -> bytes:
    """An uncompressed tar with `files`."""
    return layer(files(image))


def files(image: Image) -> list[tuple[str, bytes]]:
    """Path relative to the root, and content, of each file of ours in the image."""
    roots = [_compiled(package) for package in packages(image)]
    found = [(root, path) for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
    return [(f"{SITE_PACKAGES}/{path.relative_to(root)}", path.read_bytes()) for root, path in found]


def _compiled(package: str) -> Path:
    """A folder with the package and its byte code, made once for this state of its sources."""
    files = sources(package)
    home = HOME / "images" / "code" / package
    target = home / digest(*(part for file in files for part in file))
    with locked(HOME / "locks" / f"code-{package}"):
        if not target.exists():
            for old in home.glob("*"):
                shutil.rmtree(old, ignore_errors=True)
            _compile(files, target)
    return target


def _compile(files: list[tuple[str, bytes]], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=target.parent))
    for path, content in files:
        place = part / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    # unchecked: no image's clock or file times matter, and a read-only root needs no second look
    run(_python(), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash",
        "-s", part, "-p", f"/{SITE_PACKAGES}", part)  # fmt: skip
    part.rename(target)


def _python() -> str:
    """An interpreter whose byte code the images understand."""
    if sys.version_info[:2] == PYTHON:
        return sys.executable
    return shutil.which("python{}.{}".format(*PYTHON)) or str(REPOSITORY / ".venv/bin/python")
