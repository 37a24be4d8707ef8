"""`assay watch` and `assay status`: a Model and its Experiment, live or once."""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
from kubernetes.aio.client import ApiException
from kubernetes.aio.config import ConfigException
from rich.console import Console
from rich.live import Live

from assay_api import Ref
from assay_cli.watch_source import Cluster
from assay_cli.watch_trail import Trail
from assay_cli.watch_view import Observation, now, view

REFRESH = 4  # times a second
BUSY = 429


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `watch` and `status` to the commands of `assay`."""
    for name, run, about in (
        ("watch", watch, "show a Model and its Experiment live, until Ctrl-C"),
        ("status", status, "show Models and their Experiments once"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("model", nargs="?" if name == "status" else None, help="name of the Model")
        command.add_argument("-n", "--namespace", default="default")
        command.add_argument("--kubeconfig", help="default: KUBECONFIG, then ~/.kube/config")
        command.add_argument("--context", help="default: the current one")
        command.set_defaults(run=run)
    commands.choices["watch"].add_argument("--every", type=float, default=1.0, help="seconds between looks")


def watch(options: argparse.Namespace) -> int:
    """Show one Model until interrupted."""
    with contextlib.suppress(KeyboardInterrupt), plainly():
        asyncio.run(_watch(options))
    return 0


def status(options: argparse.Namespace) -> int:
    """Show one Model, or all of the namespace."""
    with plainly():
        return asyncio.run(_status(options))


EDIT = "ask for the role edit in this namespace"  # what to do about a 403 of a command that writes


@contextlib.contextmanager
def plainly(
    missing: str = "is Assay installed in this cluster?",
    forbidden: str = "ask for the role view in this namespace",
) -> Iterator[None]:
    """Turn what goes wrong with a cluster into a line for people.

    Args:
        missing: What a 404 means.
        forbidden: What to do about a 403.

    Raises:
        OSError: What was wrong, and what to do.
    """
    try:
        yield
    except ConfigException as error:
        raise OSError(f"{error}; name one with --kubeconfig or KUBECONFIG") from error
    except ApiException as error:
        cure = {
            401: "log in anew",
            403: forbidden,
            404: missing,
        }.get(error.status, "try again")
        raise OSError(f"the API server says {error.status} {error.reason}: {cure}") from error
    except aiohttp.ClientError as error:
        raise OSError(f"the API server does not answer: {error}") from error


async def looks(cluster: Cluster, ref: Ref, every: float) -> AsyncIterator[Observation]:
    """Read again and again; a server that is away for a moment is asked again at the next look.

    Raises:
        ApiException: It refuses, or knows no Models: the chart is not installed, or rights are missing.
    """
    while True:
        if (observation := await _read(cluster, ref)) is not None:
            yield observation
        await asyncio.sleep(every)


async def _read(cluster: Cluster, ref: Ref) -> Observation | None:
    try:
        return await cluster.read(ref)
    except ApiException as error:
        if error.status in range(400, 500) and error.status != BUSY:
            raise
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    return None


async def _watch(options: argparse.Namespace) -> None:
    ref, trail, console = Ref(options.namespace, options.model), Trail(), Console()
    async with Cluster(options.kubeconfig, options.context) as cluster:
        with Live(console=console, refresh_per_second=REFRESH, screen=console.is_terminal) as live:
            async for observation in looks(cluster, ref, options.every):
                for experiment in observation.experiments:
                    trail.add(experiment, time.time())
                live.update(view(observation, trail, now(), console.width))


async def _status(options: argparse.Namespace) -> int:
    console = Console()
    async with Cluster(options.kubeconfig, options.context) as cluster:
        names = (options.model,) if options.model else await cluster.names(options.namespace)
        observation = [await cluster.read(Ref(options.namespace, name)) for name in names]
    for one in observation:
        console.print(view(one, Trail(), now(), console.width))
    if not any(one.model for one in observation):
        console.print(f"no Model {options.model or ''} in namespace {options.namespace}".replace("  ", " "))
    return 0 if any(one.model for one in observation) else 1
