"""Forgetting images that no current input leads to: third-party layers take half a gigabyte each."""

import re
from collections.abc import Iterable

from cluster.oci import Layout
from cluster.progress import say

from . import buildah
from .catalog import CATALOG, Image
from .store import packages_tag


def prune() -> None:
    """Remove outdated third-party packages, what stands on them, and blobs and builds that nothing needs."""
    layout = Layout()
    keep = {packages_tag(image) for image in CATALOG}
    layers = {digest for tag in keep for digest in _layers(layout, tag)}
    gone = [tag for tag in layout.tags() if outdated(tag, keep) and not _stands_on(layout, tag, layers)]
    freed = layout.forget(gone)
    for tag in gone:
        if buildah.has(name := f"localhost/assay-build:{tag}"):
            buildah.buildah("rmi", name)
    buildah.buildah("rmi", "--prune")
    say(f"{len(gone)} images forgotten, {freed / 1e9:.1f} GB freed beside buildah's own")


def outdated(tag: str, keep: Iterable[str], images: Iterable[Image] = CATALOG) -> bool:
    """Whether a name in the layout is of the catalog's making, and none of those to keep."""
    ours = any(re.fullmatch(rf"{image.name}-(packages-)?[0-9a-f]{{12}}", tag) for image in images)
    return ours and tag not in set(keep)


def _stands_on(layout: Layout, tag: str, layers: set[str]) -> bool:
    """An image with code of ours is current, or nearly, if all beneath that code is."""
    *beneath, _ = _layers(layout, tag) or [""]
    return bool(beneath) and set(beneath) <= layers


def _layers(layout: Layout, tag: str) -> list[str]:
    found = layout.find(tag)
    return layout.blobs(found)[1:] if found else []
