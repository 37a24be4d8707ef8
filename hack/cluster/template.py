"""A containerd root with the big images unpacked once; a new cluster gets links to its files, not copies.

Blobs and unpacked layers never change (containers write above them), so clusters may share the files; the
databases that know about them are copied. Loading 2 GB of images costs a minute of CPU, linking four seconds.
"""

import shutil
from collections.abc import Mapping
from contextlib import ExitStack

from . import components, config, containerd
from .daemon import Daemon, stop
from .oci import Json, Layout
from .progress import step
from .settings import HOME, Cluster
from .shell import locked, run, works
from .wait import until

TEMPLATE = Cluster("template", HOME / "images")
"""Not a cluster: only its containerd ever runs, and only while images are brought in."""
LOCK = HOME / "locks" / "template"


def make(key: str, images: Mapping[str, Json]) -> None:
    """Unpack the images unless that was done under this key; an earlier template is forgotten.

    Args:
        key: content key of all images.
        images: reference -> descriptor in the shared layout.
    """
    done = TEMPLATE.state / "done"
    with locked(LOCK):
        if done.exists() and done.read_text() == key:
            return
        shutil.rmtree(TEMPLATE.state, ignore_errors=True)
        TEMPLATE.state.mkdir(parents=True)
        with step("unpack images for new clusters", "once for each uv.lock"):
            _fill(images)
        done.write_text(key)


def helps(cluster: Cluster) -> bool:
    """Whether the cluster has no image store yet."""
    return not (cluster.state / "containerd").exists()


def plant(cluster: Cluster) -> None:
    """Give a cluster without an image store the template's, if there is one."""
    target = cluster.state / "containerd"
    if not helps(cluster) or not (TEMPLATE.state / "done").exists():
        return
    with locked(LOCK), step("link images into the new cluster"):
        if not (TEMPLATE.state / "done").exists():
            return
        part = cluster.state / "containerd.part"
        shutil.rmtree(part, ignore_errors=True)
        run("cp", "-a", "--link", TEMPLATE.state / "containerd", part)
        for database in part.rglob("*.db"):
            run(
                "cp",
                "-a",
                "--remove-destination",
                TEMPLATE.state / "containerd" / database.relative_to(part),
                database,
            )
        part.rename(target)


def _fill(images: Mapping[str, Json]) -> None:
    (TEMPLATE.state / "containerd.toml").write_text(config.plain_containerd(TEMPLATE))
    daemon = Daemon("containerd", TEMPLATE.state)
    with ExitStack() as after:
        after.callback(stop, [daemon])
        daemon.start(components.containerd(TEMPLATE))
        until(lambda: works(*containerd.ctr(TEMPLATE, "version")), "containerd", 20)
        for reference, descriptor in images.items():
            containerd.load(TEMPLATE, Layout(), descriptor, reference)
