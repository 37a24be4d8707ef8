"""The base image where no registry is at hand: Debian's smallest system with Debian's Python."""

import os
import re
import shutil
import tempfile
from pathlib import Path

from cluster.oci import architecture
from cluster.progress import step
from cluster.settings import HOME
from cluster.shell import Failed, Refusal, locked, run

from .buildah import buildah, has
from .requirements import digest

SUITE = "bookworm"
INCLUDE = ("ca-certificates", "netbase", "python3", "tzdata")
SHARE = tuple(f"usr/share/{name}" for name in ("doc", "man", "info", "locale"))
USELESS = ("var/cache/apt", "var/lib/apt/lists", "var/log", "tmp", *SHARE)
MIRROR = "http://deb.debian.org/debian"
RECIPE = 2
"""Counts changes of this file that change the image."""


def reference() -> str:
    """The base that images are built on: `ASSAY_BASE`, or the local one under its content key."""
    return os.environ.get("ASSAY_BASE") or f"localhost/assay-base:{key()}"


def key() -> str:
    """What the local base depends on."""
    return digest(SUITE, *INCLUDE, str(RECIPE), architecture())


def ensure() -> str:
    """Make the local base unless it is there, or unless `ASSAY_BASE` names another one.

    Raises:
        Refusal: the mirror cannot be reached.
    """
    name = reference()
    if os.environ.get("ASSAY_BASE"):
        return name
    with locked(HOME / "locks" / "base"):
        if not has(name):
            with step("base image: Debian with its Python", "once, about a minute"):
                _make(name)
    return name


def mirror(sources: Path = Path("/etc/apt")) -> str:
    """The mirror that this machine's apt uses for Debian itself."""
    for path in (sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))):
        if path.is_file() and (found := re.search(r"https?://\S+/debian/?(?=\s|$)", path.read_text())):
            return found.group(0)
    return MIRROR


def _make(name: str) -> None:
    log = HOME / "logs" / "debootstrap.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    (HOME / "tmp").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME / "tmp", prefix="base.") as folder:
        root = Path(folder)
        try:
            run(
                "debootstrap",
                "--variant=minbase",
                f"--include={','.join(INCLUDE)}",
                SUITE,
                root,
                mirror(),
                log=log,
            )
        except Failed as error:
            raise Refusal(
                f"debootstrap cannot make a base image from {mirror()}: check the mirror in /etc/apt, "
                f"or name a base that has Python 3.11 with ASSAY_BASE=image\n{error}"
            ) from error
        _slim(root)
        _commit(root, name)


def _slim(root: Path) -> None:
    for useless in USELESS:
        shutil.rmtree(root / useless, ignore_errors=True)
        (root / useless).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    for host_s in ("etc/resolv.conf", "etc/hostname"):  # debootstrap copies them from this machine
        (root / host_s).write_text("")
    (root / "etc/apt/sources.list").write_text(f"deb {MIRROR} {SUITE} main\n")


def _commit(root: Path, name: str) -> None:
    container = buildah("from", "scratch").strip()
    buildah("add", "-q", container, str(root), "/")
    buildah(
        "config",
        "--env",
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "--env",
        "LANG=C.UTF-8",
        "--cmd",
        "python3",
        container,
    )
    buildah("commit", "-q", "--rm", container, name)
