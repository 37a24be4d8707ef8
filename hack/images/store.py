"""From inputs to images, by key: third-party packages where they changed, our code on top of them."""

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

from cluster import kind, template
from cluster.oci import Json, Layout
from cluster.progress import step, together
from cluster.settings import HOME
from cluster.shell import Failed, locked

from . import base, buildah, context, engine
from .catalog import Image
from .code import code_layer, key
from .requirements import digest, uv_configuration

AT_ONCE = 3
"""Builds side by side: they wait for downloads, then for the disk."""


class Built(NamedTuple):
    """An image, under the reference that a cluster knows it by.

    Attributes:
        image: what was built.
        tag: content key of all its inputs.
        descriptor: where it is in the shared layout; empty for an image that an engine keeps.
    """

    image: Image
    tag: str
    descriptor: Json

    @property
    def reference(self) -> str:
        """Repository and tag."""
        return f"{self.image.repository}:{self.tag}"


def builder() -> str | None:
    """The container engine to build with; None: buildah, without an engine."""
    wanted = os.environ.get("ASSAY_CLUSTER", "")
    return kind.engine() if wanted in {"current", "kind"} or (not wanted and kind.available()) else None


def build(images: tuple[Image, ...], by: str | None = None) -> list[Built]:
    """Every image, made from what is there already where nothing changed.

    Args:
        images: of the catalog.
        by: an engine; None asks `builder`.

    Raises:
        Refusal: a mirror or registry cannot be reached.
        Failed: a build ended with an error.
    """
    if by or (by := builder()):
        return [_by_engine(by, image) for image in images]
    if any(Layout().find(packages_tag(image)) is None for image in images):
        base.ensure()
    for some in (images[start : start + AT_ONCE] for start in range(0, len(images), AT_ONCE)):
        together({image.name: partial(_packages, image) for image in some})
    return [_with_code(image) for image in images]


def unpack(images: tuple[Image, ...]) -> None:
    """Have the third-party packages ready for clusters to come."""
    layout, tags = Layout(), [packages_tag(image) for image in images]
    found = {f"localhost/assay-build:{tag}": descriptor for tag in tags if (descriptor := layout.find(tag))}
    template.make(digest(*sorted(tags)), found)


def packages_tag(image: Image) -> str:
    """The name, in the layout, of the image with third-party packages only."""
    return f"{image.name}-packages-{context.key(image, base.reference())}"


def _by_engine(by: str, image: Image) -> Built:
    beneath = context.key(image, os.environ.get("ASSAY_BASE", "default"))
    built = Built(image, digest(beneath, key(image)), {})
    engine.build(by, image, built.reference)
    return built


def _packages(image: Image) -> Json:
    tag, layout = packages_tag(image), Layout()
    if found := layout.find(tag):
        return found
    with locked(HOME / "locks" / tag):
        if found := layout.find(tag):
            return found
        with step(f"image {image.name}: third-party packages"), tempfile.TemporaryDirectory() as folder:
            context.write(image, Path(folder))
            target = f"{image.name}-packages"
            return buildah.build(target, base.reference(), Path(folder), tag, uv_configuration())


def _with_code(image: Image) -> Built:
    layout, below = Layout(), packages_tag(image)
    if (parent := layout.find(below)) is None:
        raise Failed(f"{below} is not in {layout.folder}: somebody removed it meanwhile, run again")
    if image.package is None:
        return Built(image, digest(below), parent)
    tag = digest(below, key(image))
    name = f"{image.name}-{tag}"
    found = layout.find(name)
    return Built(image, tag, found or layout.stack(parent, code_layer(image), name))
