"""`assay card`: the model card of a version, from the store where its artifact lies."""

import argparse
import asyncio
import hashlib
import sys
from pathlib import Path
from urllib.parse import urlsplit

from assay_api import Ref
from assay_api.names import predictor_name

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
    parser.add_argument("-n", "--namespace", default="default")
    parser.add_argument("--digest", help="of the artifact; needed with a URL only")
    parser.add_argument("--format", choices=CARDS, default="markdown")
    parser.add_argument("-o", "--output", type=Path, help="a file to write to")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print or write the card."""
    name = CARDS[options.format]
    uri, digest = options.version, options.digest
    if "://" not in uri:
        uri, digest = asyncio.run(_stored(Ref(options.namespace, uri)))
    elif not digest:
        raise ValueError("with a URL say --digest too: it is in status.artifact of the ModelVersion")
    if urlsplit(uri).scheme == "file" and not Path(urlsplit(uri).path).exists():
        print(_elsewhere(options, uri, name), file=sys.stderr)
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


async def _stored(ref: Ref) -> tuple[str, str]:
    from assay_cli.watch_source import Cluster  # noqa: PLC0415  (the Kubernetes client takes half a second)

    async with Cluster() as cluster:
        artifact = (await cluster.version(ref)).status.artifact
    if artifact is None:
        raise ValueError(f"ModelVersion {ref.namespace}/{ref.name} has no artifact yet")
    return artifact.uri, artifact.digest


def _elsewhere(options: argparse.Namespace, uri: str, name: str) -> str:
    deployment = predictor_name(options.version)
    return (
        f"assay: {uri} is on a volume of the cluster. While the version has a pod, this reads it:\n"
        f"  kubectl exec -n {options.namespace} deploy/{deployment} -- cat {urlsplit(uri).path}/{name}"
    )
