"""A node's image store: what it has, and how an image of the layout gets in; only missing blobs travel."""

import json
import subprocess
import tarfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO

from .oci import Json, Layout
from .settings import Cluster
from .shell import Failed, output


def ctr(cluster: Cluster, *words: str) -> list[str]:
    """A command line of containerd's own client."""
    return ["ctr", "--address", str(cluster.containerd_socket), "--namespace", "k8s.io", *words]


def images(cluster: Cluster) -> set[str]:
    """References of all images the node has."""
    return set(output(*ctr(cluster, "images", "ls", "-q")).decode().split())


def load(cluster: Cluster, layout: Layout, descriptor: Json, reference: str) -> None:
    """Bring the image into the node's store under this reference.

    Raises:
        Failed: containerd refused it.
    """
    has = set(output(*ctr(cluster, "content", "ls", "-q")).decode().split())
    importer = subprocess.Popen(
        ctr(cluster, "images", "import", "-"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert importer.stdin is not None
    with suppress(BrokenPipeError):  # the importer's own words are the better error
        _stream(layout, descriptor, reference, has, importer.stdin)
    reply, _ = importer.communicate()
    if importer.returncode:
        raise Failed(f"containerd refused {reference}: {reply.decode(errors='replace').strip()}")


def _stream(layout: Layout, descriptor: Json, reference: str, has: set[str], sink: IO[bytes]) -> None:
    config, *layers = layout.blobs(descriptor)
    wanted = [d for d in layers if d not in has] + [config, descriptor["digest"]]
    with tarfile.open(fileobj=sink, mode="w|") as archive:
        _add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        for digest in dict.fromkeys(wanted):
            archive.add(layout.blob(digest), f"blobs/{digest.replace(':', '/')}")
        _add(archive, "index.json", index(descriptor, reference))


def index(descriptor: Json, reference: str) -> bytes:
    """index.json of an archive with one image."""
    bare = {key: descriptor[key] for key in ("mediaType", "digest", "size")}
    named = {**bare, "annotations": {"io.containerd.image.name": reference}}
    return json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()


def _add(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(str(Path(path)))
    entry.size = len(content)
    archive.addfile(entry, BytesIO(content))
