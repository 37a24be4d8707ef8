"""`python3 -m cluster up|api|down|kubeconfig|enter|status NAME`."""

import argparse
import os
import sys

from . import control_plane, node, providers
from .progress import say
from .settings import BIN, Cluster
from .shell import Failed, Refusal
from .usage import tell


def main(words: list[str]) -> int:
    """Run one command; errors are lines, not tracebacks."""
    options = _parser().parse_args(words)
    try:
        cluster = Cluster(options.name)
        return int(options.run(cluster, options) or 0)
    except (Refusal, Failed, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m cluster", description=sys.modules["cluster"].__doc__)
    commands = parser.add_subparsers(required=True)
    for name, run, about in (
        ("up", _up, "start it, or what is missing of it; safe to run again"),
        ("api", _api, "start an API server without nodes: objects, no pods; no root needed"),
        ("down", _down, "stop it; objects and images stay for the next time"),
        ("kubeconfig", _kubeconfig, "print what to eval for kubectl"),
        ("status", _status, "print what runs"),
        ("enter", _enter, "run a command inside its network"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("name", nargs="?" if name != "enter" else None, default="assay")
        command.set_defaults(run=run)
        if name == "down":
            command.add_argument("--wipe", action="store_true", help="forget objects, volumes and images too")
        if name == "enter":
            command.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _up(cluster: Cluster, _: argparse.Namespace) -> None:
    tell(cluster, providers.up(cluster))


def _api(cluster: Cluster, _: argparse.Namespace) -> None:
    providers.api_up(cluster)
    say(f"API server {cluster.name} is up: KUBECONFIG={cluster.kubeconfig}")


def _down(cluster: Cluster, options: argparse.Namespace) -> None:
    providers.down(cluster, wipe=options.wipe)


def _kubeconfig(cluster: Cluster, _: argparse.Namespace) -> None:
    if not cluster.kubeconfig.exists():
        raise Refusal(f"there is no cluster {cluster.name}: run `make cluster CLUSTER={cluster.name}`")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    print(f'export PATH="{BIN}:$PATH"')


def _status(cluster: Cluster, _: argparse.Namespace) -> int:
    provider = providers.remembered(cluster)
    print(f"{cluster.name}: {provider or 'down'}")
    if provider in {"node", "api"}:
        for daemon in (node if provider == "node" else control_plane).daemons(cluster):
            print(f"  {daemon.name}: {daemon.pid() or 'not running'}")
    return 0 if provider else 1


def _enter(cluster: Cluster, options: argparse.Namespace) -> None:
    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not words:
        raise Refusal("enter NAME -- COMMAND: there is no command")
    if not cluster.netns.exists():
        raise Refusal(
            f"cluster {cluster.name} has no network of its own here: it is down, or not a single node"
        )
    command = node.enter(cluster, words)
    environment = {**os.environ, "KUBECONFIG": str(cluster.state / "admin.kubeconfig")}
    os.execvpe(command[0], command, environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
