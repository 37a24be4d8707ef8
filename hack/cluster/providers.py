"""Who provides the cluster: the first that works, remembered until it is down."""

import os
from typing import Literal

from . import control_plane, current, kind, node
from .progress import say
from .settings import Cluster
from .shell import Failed, Refusal, locked

Provider = Literal["current", "kind", "node", "api"]
"""`api` is an API server without nodes; it is asked for by name, never chosen."""


def choose(cluster: Cluster) -> Provider:
    """The provider in use, else the one `ASSAY_CLUSTER` names, else kind if it works, else a single node.

    Raises:
        Refusal: `ASSAY_CLUSTER` names none, or another one than the one in use.
    """
    wanted = os.environ.get("ASSAY_CLUSTER", "")
    if wanted not in {"", "current", "kind", "node"}:
        raise Refusal(f"ASSAY_CLUSTER={wanted!r}: use current, kind or node, or leave it out")
    before = remembered(cluster)
    if wanted and before and wanted != before:
        raise Refusal(
            f"cluster {cluster.name} is up by {before}, not by {wanted}: "
            f"`make down CLUSTER={cluster.name}` first, or choose another name"
        )
    if wanted:
        return wanted  # type: ignore[return-value]  # narrowed by the first test
    return before or ("kind" if kind.available() else "node")


def remembered(cluster: Cluster) -> Provider | None:
    """Who brought this cluster up."""
    try:
        return cluster.provider_file.read_text().strip()  # type: ignore[return-value]  # written here only
    except FileNotFoundError:
        return None


def prepare(cluster: Cluster) -> None:
    """What takes minutes the first time and may be done beside other things; nothing runs afterwards."""
    if choose(cluster) == "node" and not node.is_up(cluster):
        node.prepare()


def up(cluster: Cluster) -> Provider:
    """Bring the cluster up and say how to use it; idempotent."""
    provider = choose(cluster)
    with locked(cluster.state.parent / f".{cluster.name}.lock"):
        if provider == "kind" and not _kind_works(cluster):
            provider = "node"
        if provider == "current":
            current.up(cluster)
        elif provider == "node":
            node.up(cluster)
        elif provider == "api":
            control_plane.up(cluster)
        cluster.provider_file.write_text(provider)
    return provider


def api_up(cluster: Cluster) -> None:
    """Bring up an API server without nodes under this name; idempotent.

    Raises:
        Refusal: a whole cluster has the name.
    """
    if (before := remembered(cluster)) not in {None, "api"}:
        raise Refusal(f"cluster {cluster.name} is up by {before}: choose another name")
    with locked(cluster.state.parent / f".{cluster.name}.lock"):
        control_plane.up(cluster)
        cluster.provider_file.write_text("api")


def down(cluster: Cluster, *, wipe: bool) -> None:
    """Take it down again; a cluster that was there before is left alone."""
    provider = remembered(cluster) or "node"
    with locked(cluster.state.parent / f".{cluster.name}.lock"):
        if provider == "current":
            say("the cluster is yours, not ours: it stays up")
        else:
            {"kind": kind, "api": control_plane}.get(provider, node).down(cluster)
            say(f"cluster {cluster.name} is down")
        cluster.provider_file.unlink(missing_ok=True)
        if wipe and provider != "current":
            node.wipe(cluster)


def _kind_works(cluster: Cluster) -> bool:
    try:
        kind.up(cluster)
    except Failed as error:
        say(f"kind is there but does not work, a single node instead: {str(error).splitlines()[-1]}")
        return False
    return True
