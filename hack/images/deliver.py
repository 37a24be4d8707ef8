"""Bringing built images to where a cluster's node takes them from."""

from collections.abc import Sequence

from cluster import containerd, kind, providers
from cluster.oci import Layout
from cluster.progress import step
from cluster.settings import Cluster
from cluster.shell import Refusal, output, run

from . import buildah
from .catalog import REGISTRY
from .store import Built


def deliver(cluster: Cluster, images: Sequence[Built]) -> None:
    """Load, or push, what is not there yet.

    Raises:
        Refusal: the cluster is down, or it is not ours and no registry is named.
    """
    match providers.remembered(cluster):
        case "node":
            _to_node(cluster, images)
        case "kind":
            for built in images:
                kind.load(cluster, built.reference)
        case "current":
            _to_registry(images)
        case None:
            raise Refusal(
                f"there is no cluster {cluster.name}: run `make cluster CLUSTER={cluster.name}` first"
            )


def _to_node(cluster: Cluster, images: Sequence[Built]) -> None:
    has = containerd.images(cluster)
    for built in images:
        if built.reference not in has:
            with step(f"load {built.reference}"):
                containerd.load(cluster, Layout(), built.descriptor, built.reference)


def _to_registry(images: Sequence[Built]) -> None:
    if REGISTRY == "localhost":
        raise Refusal(
            "the cluster is yours: name a registry that it pulls from with ASSAY_REGISTRY=host/path, "
            "and log in to it, so that images can be pushed there"
        )
    for built in images:
        with step(f"push {built.reference}"):
            _push(built)


def _push(built: Built) -> None:
    if not built.descriptor:
        run(kind.engine() or "docker", "push", built.reference)
        return
    name = f"oci:{Layout().folder}:{built.image.name}-{built.tag}"
    pulled = output(*buildah.WORDS, "pull", "-q", name).decode().strip()
    run(*buildah.WORDS, "push", "-q", pulled, f"docker://{built.reference}")
