"""The lines that say how to use a cluster that is up."""

from .progress import say
from .settings import BIN, Cluster
from .shell import output


def tell(cluster: Cluster, provider: str) -> None:
    """Say which Kubernetes it is, by its own words, and how kubectl gets there."""
    kubectl = BIN / "kubectl" if (BIN / "kubectl").exists() else "kubectl"
    version = output(kubectl, "--kubeconfig", cluster.kubeconfig, "version").decode()
    server = next((line.split()[-1] for line in version.splitlines() if line.startswith("Server")), "unknown")
    named = "" if cluster.name == "assay" else f" CLUSTER={cluster.name}"
    say(f"cluster {cluster.name} is up: Kubernetes {server} ({provider})")
    say(f'use it:  eval "$(make -s kubeconfig{named})"')
    say(f"or:      KUBECONFIG={cluster.kubeconfig} {kubectl} get pods -A")
