"""`python3 -m images build|load|context|append`."""

import argparse
import sys

from cluster import containerd, tools
from cluster.oci import Layout
from cluster.progress import say, step
from cluster.settings import REPOSITORY, Cluster
from cluster.shell import Failed, Refusal

from . import store
from .catalog import choose
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
    build = commands.add_parser("build", help="build what changed")
    build.add_argument("names", nargs="*", metavar="IMAGE")
    build.set_defaults(run=_build)
    load = commands.add_parser("load", help="build what changed and bring it into a cluster")
    load.add_argument("cluster")
    load.add_argument("names", nargs="*", metavar="IMAGE")
    load.set_defaults(run=_load)
    return parser


def _build(options: argparse.Namespace) -> None:
    tools.install_packages()
    for built in store.build(choose(options.names)):
        print(built.reference)


def _load(options: argparse.Namespace) -> None:
    cluster = Cluster(options.cluster)
    tools.install_packages()
    images = store.build(choose(options.names))
    has = containerd.images(cluster)
    for built in images:
        if built.reference not in has:
            with step(f"load {built.reference}"):
                containerd.load(cluster, Layout(), built.descriptor, built.reference)
    values = REPOSITORY / "out" / cluster.name / "images.yaml"
    values.parent.mkdir(parents=True, exist_ok=True)
    values.write_text(render(images))
    say(f"images of cluster {cluster.name}: {values.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
