"""`assay retrain`: make the version that a Model's spec asks for once more, though nothing has changed."""

import argparse
import asyncio

from assay_api import Ref
from assay_api.names import RETRAIN, version_name
from assay_cli import target
from assay_cli.watch import EDIT, plainly
from assay_cli.watch_source import Cluster


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "retrain",
        help="train once more what the spec of a Model asks for",
        description="A spec that asks for what is there already uses it again. This asks for a new version "
        "all the same: the data may be new, or what made the last one fail is mended.",
    )
    parser.add_argument("model", help="name of the Model")
    target.add_cluster(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask for a new version.

    Raises:
        ValueError: There is no version yet that could be repeated.
        OSError: The cluster can't be asked.
    """

    async def ask() -> int:
        async with Cluster(options.kubeconfig, options.context) as cluster:
            ref = Ref(options.namespace, options.model)
            if latest := (await cluster.model(ref)).status.state.latest:
                await cluster.annotate(ref, {RETRAIN: version_name(ref.name, latest)}, "models")
            return latest

    words = f"there is no Model {options.model} in namespace {options.namespace}"
    with plainly(words, forbidden=EDIT):
        latest = asyncio.run(ask())
    if not latest:
        raise ValueError(f"{options.model} has no version yet: the first one is being made")
    print(f"{version_name(options.model, latest + 1)} is made; versions before it are not used again")
    return 0
