"""From inputs to images in the shared layout: third-party packages by key, our code on top by key."""

import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from cluster import wheels
from cluster.oci import Json, Layout
from cluster.progress import step, together
from cluster.settings import HOME
from cluster.shell import locked

from . import base, buildah
from .catalog import Image
from .code import code_layer, key
from .requirements import digest, requirements, uv_configuration

INSTALL = buildah.CONTAINERFILE.parent / "install.sh"
AT_ONCE = 3


class Built(NamedTuple):
    """An image in the layout, under the reference that a cluster knows it by."""

    image: Image
    tag: str
    descriptor: Json

    @property
    def reference(self) -> str:
        """Repository and tag."""
        return f"{self.image.repository}:{self.tag}"


def build(images: tuple[Image, ...]) -> list[Built]:
    """Every image, made from what is there already where nothing changed."""
    jobs = {image.name: (lambda image=image: _packages(image)) for image in images}
    names = list(jobs)
    if any(Layout().find(packages_tag(image)) is None for image in images):
        base.ensure()
    for start in range(0, len(names), AT_ONCE):
        together({name: jobs[name] for name in names[start : start + AT_ONCE]})
    return [_with_code(image) for image in images]


def packages_tag(image: Image) -> str:
    """The name, in the layout, of the image with third-party packages only."""
    recipe = (buildah.CONTAINERFILE.read_bytes(), INSTALL.read_bytes())
    return f"{image.name}-packages-{digest(base.reference(), wheels.UV, requirements(image), *recipe)}"


def context(image: Image, folder: Path) -> None:
    """What the image's packages target needs, as a build context."""
    (folder / "requirements").mkdir(parents=True, exist_ok=True)
    (folder / "requirements" / f"{image.name}.txt").write_text(requirements(image))
    (folder / "tools").mkdir(exist_ok=True)
    shutil.copy2(INSTALL, folder / "tools")
    shutil.copy2(wheels.uv(), folder / "tools" / "uv")


def _packages(image: Image) -> Json:
    tag, layout = packages_tag(image), Layout()
    with locked(HOME / "locks" / tag):
        if found := layout.find(tag):
            return found
        with step(f"image {image.name}: third-party packages"), tempfile.TemporaryDirectory() as folder:
            context(image, Path(folder))
            buildah.build(f"{image.name}-packages", base.reference(), Path(folder), tag, uv_configuration())
    found = layout.find(tag)
    assert found is not None
    return found


def _with_code(image: Image) -> Built:
    layout, below = Layout(), packages_tag(image)
    parent = layout.find(below)
    assert parent is not None
    tag = digest(below, key(image))
    name = f"{image.name}-{tag}"
    found = layout.find(name)
    return Built(image, tag, found or layout.stack(parent, code_layer(image), name))
