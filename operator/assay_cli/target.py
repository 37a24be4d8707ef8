"""Arguments by which a command finds one Experiment, and the reading of it."""

import argparse
import asyncio

from assay_api import Experiment, Ref
from assay_cli.watch import plainly
from assay_cli.watch_source import Cluster


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a cluster and a namespace."""
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--kubeconfig", help="default: KUBECONFIG, then ~/.kube/config")
    parser.add_argument("--context", help="default: the current one")


def experiment(options: argparse.Namespace, name: str) -> Experiment:
    """Return an Experiment of the cluster.

    Raises:
        OSError: There is none, or the cluster can't be asked.
    """

    async def read() -> Experiment:
        async with Cluster(options.kubeconfig, options.context) as cluster:
            return await cluster.experiment(Ref(options.namespace, name))

    with plainly(f"there is no Experiment {name} in namespace {options.namespace}"):
        return asyncio.run(read())
