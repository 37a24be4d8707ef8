"""buildah with a store of its own, as root in a chroot: no daemon, no registry."""

import tempfile
from pathlib import Path

from cluster.oci import Json, Layout
from cluster.settings import CERTIFICATES, HOME
from cluster.shell import Failed, locked, output, run, works

from .context import CONTAINERFILE

WORDS = ("buildah", "--root", str(HOME / "images/store"), "--runroot", str(HOME / "images/run"))
"""Begins every command line: its own store, as `_environment` gives it its own driver."""
TMP = HOME / "tmp"
"""buildah keeps the cache mounts of builds there."""


def buildah(*words: str) -> str:
    """Run one command of buildah and return what it printed."""
    return output(*WORDS, *words, env=_environment()).decode()


def has(reference: str) -> bool:
    """Whether the store has the image."""
    return works(*WORDS, "inspect", "--type", "image", reference)


def build(target: str, base: str, context: Path, tag: str, uv_toml: str) -> Json:
    """Build one target and write it into the shared layout under `tag`.

    Args:
        target: of images/Containerfile.
        base: reference of the base image.
        context: folder with what the target copies.
        tag: the name in the layout, and in buildah's store.
        uv_toml: configuration lent to the build.
    """
    name, log = f"localhost/assay-build:{tag}", HOME / "logs" / f"{tag}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    TMP.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as lent:
        lent.write(uv_toml)
        lent.flush()
        secrets = ["--secret", f"id=uv,src={lent.name}"]
        if CERTIFICATES.exists():
            secrets += ["--secret", f"id=certificates,src={CERTIFICATES}"]
        run(*WORDS, "build", "--layers", "--pull-never", "--build-arg", f"BASE={base}", *secrets,
            "--target", target, "-f", CONTAINERFILE, "-t", name, context,
            log=log, env=_environment())  # fmt: skip
    return export(name, tag)


def export(name: str, tag: str) -> Json:
    """Write an image of the store into the shared layout: only new layers travel, none is zipped."""
    layout = Layout()
    layout.folder.mkdir(parents=True, exist_ok=True)
    with locked(layout.folder / ".lock"):
        buildah("push", "-q", "--disable-compression", "--format", "oci", name, f"oci:{layout.folder}:{tag}")
    if (found := layout.find(tag)) is None:
        raise Failed(f"buildah pushed {tag}, but it is not in {layout.folder}")
    return found


def _environment() -> dict[str, str]:
    return {"STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(TMP)}
