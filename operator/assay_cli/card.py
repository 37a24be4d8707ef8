"""`assay card`: the model card of a version, from the store where its artifact lies."""

import argparse
import asyncio
import hashlib
import sys
from pathlib import Path
from urllib.parse import urlsplit

from assay_api import ModelVersion, Ref
from assay_api.names import claim_name, predictor_name
from assay_cli import target
from assay_cli.watch import plainly
from assay_cli.watch_source import Cluster

CARDS = {"markdown": "card.md", "html": "card.html"}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "card",
        help="what a version was made from, how good it is, and what has changed",
        description="Print the model card of a ModelVersion. It is read from the artifact store, so the "
        "store's credentials must be at hand; of a volume of the cluster, the command that reads it is told.",
    )
    parser.add_argument(
        "version", help="a ModelVersion, such as churn-3, or the URL of its artifact's folder"
    )
    target.add_cluster(parser)
    parser.add_argument("--digest", help="of the artifact; needed with a URL only")
    parser.add_argument("--format", choices=CARDS, default="markdown")
    parser.add_argument("-o", "--output", type=Path, help="a file to write to")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or write the card."""
    name = CARDS[options.format]
    uri, digest, reader = options.version, options.digest, ""
    if "://" not in uri:
        uri, digest, reader = _found(options)
    elif not digest:
        raise ValueError("with a URL say --digest too: it is in status.artifact of the ModelVersion")
    else:
        reader = urlsplit(uri).path.rstrip("/").rpartition("/")[2]  # folders have the names of versions
    if urlsplit(uri).scheme == "file" and not Path(urlsplit(uri).path).exists():
        print(_elsewhere(options, f"{urlsplit(uri).path}/{name}", reader), file=sys.stderr)
        return 1
    content = card(uri, digest, name)
    if options.output:
        options.output.write_bytes(content)
    else:
        sys.stdout.write(content.decode())
    return 0


def card(uri: str, digest: str, name: str) -> bytes:
    """Return the card, which is what the version's digest says.

    Raises:
        ValueError: There is none, or it is not what it was.
    """
    import fsspec  # noqa: PLC0415  (with what is below it takes a second)

    from assay_artifact import ArtifactError, read_manifest  # noqa: PLC0415

    try:
        listed = read_manifest(uri, digest).files.get(name)
    except ArtifactError as error:
        raise ValueError(str(error)) from error
    if listed is None:
        raise ValueError(f"{uri} has no {name}: it was not trained by Assay, or by a release without cards")
    with fsspec.open(f"{uri}/{name}", "rb") as file:
        content: bytes = file.read(listed.bytes + 1)
    if hashlib.sha256(content).hexdigest() != listed.sha256:
        raise ValueError(f"{uri}/{name} is not what the version's digest says")
    return content


def _found(options: argparse.Namespace) -> tuple[str, str, str]:
    """Return where a version's artifact lies, its digest, and a version whose pods see the same volume."""

    async def read() -> tuple[ModelVersion, str]:
        async with Cluster(options.kubeconfig, options.context) as cluster:
            version = await cluster.version(Ref(options.namespace, options.version))
            model = await cluster.model(Ref(options.namespace, version.spec.model_ref.name))
            return version, model.status.champion

    with plainly(f"there is no ModelVersion {options.version} in namespace {options.namespace}"):
        version, champion = asyncio.run(read())
    if version.spec.source.training is None:
        raise ValueError(
            f"{options.version} was brought from elsewhere, so it has no card; its gates and metrics are in "
            f"`kubectl get amv {options.version} -n {options.namespace} -o yaml`"
        )
    if version.status.artifact is None:
        raise ValueError(f"{options.version} has no artifact: it is {version.status.phase or 'not begun'}")
    return version.status.artifact.uri, version.status.artifact.digest, champion


def _elsewhere(options: argparse.Namespace, path: str, reader: str) -> str:
    """A rejected version has no pods; those of the champion see the same volume."""
    where = f"assay: {path} is on a volume of the cluster. "
    if not reader:
        claim = claim_name(options.version.rpartition("-")[0])
        return f"{where}No version serves, so read it with a pod of your own that mounts the claim {claim}"
    deployment = predictor_name(reader)
    return f"{where}This reads it:\n  kubectl exec -n {options.namespace} deploy/{deployment} -- cat {path}"
