"""Whole images by docker or podman: for kind, and for clusters that pull from a registry."""

import os
import tempfile
from pathlib import Path

from cluster.progress import step
from cluster.settings import CERTIFICATES, HOME
from cluster.shell import locked, run, works

from .catalog import Image
from .code import files
from .context import CONTAINERFILE, write
from .requirements import uv_configuration


def build(engine: str, image: Image, reference: str) -> None:
    """Build one target under this reference, unless the engine has it.

    Raises:
        Failed: the engine could not.
    """
    with locked(HOME / "locks" / f"engine-{image.name}"):
        if works(engine, "image", "inspect", reference):
            return
        with step(f"image {image.name}, by {engine}"), tempfile.TemporaryDirectory() as folder:
            context(image, Path(folder))
            _run(engine, image, reference, Path(folder))


def context(image: Image, folder: Path) -> None:
    """Everything that the image's target copies: requirements, tools and our own compiled code."""
    write(image, folder)
    (folder / "code" / image.name).mkdir(parents=True, exist_ok=True)
    for path, content in files(image):
        place = folder / "code" / image.name / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def _run(engine: str, image: Image, reference: str, folder: Path) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as lent:
        lent.write(uv_configuration())
        lent.flush()
        secrets = ["--secret", f"id=uv,src={lent.name}"]
        if CERTIFICATES.exists():
            secrets += ["--secret", f"id=certificates,src={CERTIFICATES}"]
        base = ["--build-arg", f"BASE={os.environ['ASSAY_BASE']}"] if os.environ.get("ASSAY_BASE") else []
        words = [engine, "build", "--target", image.name, "-t", reference, "-f", str(CONTAINERFILE)]
        log = HOME / "logs" / f"{image.name}-{engine}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        run(*words, *base, *secrets, folder, log=log, env={"DOCKER_BUILDKIT": "1"})
