"""kind, where a container engine is at hand."""

import shutil

from .settings import Cluster
from .shell import Refusal, output, run, works

ENGINES = ("docker", "podman")


def engine() -> str | None:
    """The first engine that not only is installed but answers."""
    return next((e for e in ENGINES if shutil.which(e) and works(e, "info")), None)


def available() -> bool:
    """Whether clusters can be made with kind."""
    return shutil.which("kind") is not None and engine() is not None


def up(cluster: Cluster) -> None:
    """Make the cluster unless there is one of this name; idempotent.

    Raises:
        Failed: kind could not.
    """
    cluster.state.mkdir(parents=True, exist_ok=True)
    if cluster.name not in _clusters():
        run(
            "kind",
            "create",
            "cluster",
            "--name",
            cluster.name,
            "--kubeconfig",
            cluster.kubeconfig,
            "--wait",
            "180s",
        )
    kubeconfig = output("kind", "get", "kubeconfig", "--name", cluster.name)
    cluster.kubeconfig.touch(mode=0o600)
    cluster.kubeconfig.write_bytes(kubeconfig)


def down(cluster: Cluster) -> None:
    """Delete it; idempotent."""
    if cluster.name in _clusters():
        run("kind", "delete", "cluster", "--name", cluster.name, "--kubeconfig", cluster.kubeconfig)


def load(cluster: Cluster, reference: str) -> None:
    """Copy an image of the engine onto the nodes.

    Raises:
        Refusal: the image is not in the engine.
    """
    if not works(engine() or "docker", "image", "inspect", reference):
        raise Refusal(f"{engine()} has no image {reference}: run `make images` first")
    run("kind", "load", "docker-image", "--name", cluster.name, reference)


def _clusters() -> list[str]:
    return output("kind", "get", "clusters").decode().split()
