"""The cluster that the current kubeconfig names: used as it is, never started, never stopped."""

import shutil

from .settings import Cluster
from .shell import Failed, Refusal, output


def up(cluster: Cluster) -> None:
    """Copy the current context into the cluster's own kubeconfig and see that its API server answers.

    Raises:
        Refusal: no kubectl, no context, or nobody answers.
    """
    if not shutil.which("kubectl"):
        raise Refusal("ASSAY_CLUSTER=current needs kubectl in PATH")
    try:
        text = output("kubectl", "config", "view", "--minify", "--flatten", "--raw")
        output("kubectl", "get", "--raw", "/readyz", "--request-timeout=10s")
    except Failed as error:
        raise Refusal(
            f"ASSAY_CLUSTER=current, but the current kubeconfig's cluster does not answer: {error}"
        ) from error
    cluster.state.mkdir(parents=True, exist_ok=True)
    cluster.kubeconfig.touch(mode=0o600)
    cluster.kubeconfig.write_bytes(text)
