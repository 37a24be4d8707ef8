"""`python3 -m images build|load|up|context|prune`."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cluster import providers, template, tools
from cluster.progress import say, together
from cluster.settings import REPOSITORY, Cluster
from cluster.shell import Failed, Refusal
from cluster.usage import tell

from . import engine, store
from .catalog import choose
from .deliver import deliver
from .prune import prune
from .values import render


def main(words: list[str]) -> int:
    """Run one command; errors are lines, not tracebacks."""
    options = _parser().parse_args(words)
    try:
        options.run(options)
    except (Refusal, Failed, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m images", description=sys.modules["images"].__doc__)
    commands = parser.add_subparsers(required=True)
    build = commands.add_parser("build", help="build what changed; needs no cluster")
    build.add_argument("names", nargs="*", metavar="IMAGE")
    build.set_defaults(run=_build)
    load = commands.add_parser("load", help="build what changed and bring it to a cluster")
    load.add_argument("cluster")
    load.add_argument("names", nargs="*", metavar="IMAGE")
    load.set_defaults(run=_load)
    up = commands.add_parser("up", help="a cluster with all images in it, made side by side")
    up.add_argument("cluster")
    up.set_defaults(run=_up)
    context = commands.add_parser("context", help="write a build context for docker build by hand")
    context.add_argument("folder", type=Path)
    context.add_argument("names", nargs="*", metavar="IMAGE")
    context.set_defaults(run=_context)
    pruning = commands.add_parser("prune", help="forget images that no current input leads to")
    pruning.set_defaults(run=lambda _: prune())
    return parser


def _prepare() -> None:
    """Without an engine, buildah builds: as root, with Debian's packages."""
    if not store.builder():
        tools.need_root()
        tools.install_packages()


def _build(options: argparse.Namespace) -> None:
    _prepare()
    for built in store.build(choose(options.names)):
        print(built.reference)
    if not (options.names or store.builder()):
        store.unpack(choose([]))


def _load(options: argparse.Namespace) -> None:
    cluster, chosen = Cluster(options.cluster), choose(options.names)
    _prepare()
    images = store.build(chosen)
    deliver(cluster, images)
    if not options.names:  # a part of them says nothing about the rest
        _write_values(cluster, images)


def _up(options: argparse.Namespace) -> None:
    cluster = Cluster(options.cluster)
    together({"cluster": partial(providers.prepare, cluster), "images": partial(_build_for, cluster)})
    provider = providers.up(cluster)
    images = store.build(choose([]))
    deliver(cluster, images)
    _write_values(cluster, images)
    tell(cluster, provider)


def _build_for(cluster: Cluster) -> None:
    _prepare()
    store.build(choose([]))
    if not store.builder() and template.helps(cluster):
        store.unpack(choose([]))


def _write_values(cluster: Cluster, images: Sequence[store.Built]) -> None:
    values = REPOSITORY / "out" / cluster.name / "images.yaml"
    values.parent.mkdir(parents=True, exist_ok=True)
    values.write_text(render(images))
    say(f"images of cluster {cluster.name}: {values.relative_to(REPOSITORY)}")


def _context(options: argparse.Namespace) -> None:
    for image in choose(options.names):
        engine.context(image, options.folder)
    say(f"docker build -f images/Containerfile --target {choose(options.names)[0].name} {options.folder}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
