"""`assay promote` and `assay rollback`: a person chooses the champion, and sees what came of it."""

import argparse
import asyncio
import getpass
import time
from datetime import UTC, datetime

from assay_api import Model, Ref
from assay_api.condition import find
from assay_api.model import OrderResult
from assay_api.names import PROMOTE, ROLLBACK
from assay_cli import target
from assay_cli.watch import EDIT, plainly
from assay_cli.watch_source import Cluster

LONGEST = 512  # characters of an order that the operator keeps, and by which its result is found
EVERY = 0.5  # seconds between two looks for the result


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-commands."""
    promoting = subparsers.add_parser(
        "promote",
        help="make a version the champion of its Model, by hand",
        description="The version takes over as soon as its pods are ready; a running Experiment ends. "
        "Exit code 1 if the operator refuses.",
    )
    promoting.add_argument("version", help="name of the ModelVersion; it says which Model is meant")
    promoting.set_defaults(run=promote)
    returning = subparsers.add_parser(
        "rollback",
        help="make the former champion of a Model serve again, by hand",
        description="The newest former champion that is still there takes over as soon as its pods are "
        "ready; a running Experiment ends. Exit code 1 if the operator refuses.",
    )
    returning.add_argument("model", help="name of the Model")
    returning.set_defaults(run=rollback)
    for parser in (promoting, returning):
        parser.add_argument("-m", "--why", default="", help="stands in the history")
        parser.add_argument("--by", help="default: your name on this machine")
        parser.add_argument("--timeout", type=float, default=60.0, help="seconds to wait (default 60)")
        parser.add_argument("--no-wait", action="store_true", help="do not wait for the result")
        target.add_cluster(parser)


def promote(options: argparse.Namespace) -> int:
    """Promote a version.

    Raises:
        ValueError: The reason is too long.
        OSError: There is no such version, the cluster can't be asked, or nothing came of it in time.
    """
    return asyncio.run(_promote(options))


def rollback(options: argparse.Namespace) -> int:
    """Go back to the former champion; raises as `promote` does."""
    return asyncio.run(_ordered(options, options.model, ROLLBACK, _signed(options)))


async def _promote(options: argparse.Namespace) -> int:
    name = options.version
    with plainly(f"there is no ModelVersion {name} in namespace {options.namespace}"):
        async with Cluster(options.kubeconfig, options.context) as cluster:
            version = await cluster.version(Ref(options.namespace, name))
    return await _ordered(options, version.spec.model_ref.name, PROMOTE, f"{name} {_signed(options)}")


def _signed(options: argparse.Namespace) -> str:
    """Return when, who and why; the moment makes each order another one."""
    now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    words = (now, options.by or getpass.getuser(), options.why)
    return " ".join(" ".join(words).split())


async def _ordered(options: argparse.Namespace, name: str, key: str, text: str) -> int:
    """Write the order in place of an earlier one, and wait for its result."""
    order, ref = f"{key}={text}", Ref(options.namespace, name)
    if len(order) > LONGEST:
        raise ValueError(f"--why: {len(order) - LONGEST} characters too long")
    other = ROLLBACK if key == PROMOTE else PROMOTE
    with plainly(f"there is no Model {name} in namespace {options.namespace}", forbidden=EDIT):
        async with Cluster(options.kubeconfig, options.context) as cluster:
            await cluster.annotate(ref, {key: text, other: None}, "models")
            if options.no_wait:
                print(f"{name}: asked; kubectl get models.assay.dev {name} -o yaml shows status.state.order")
                return 0
            return _print_result(name, await _result(cluster, ref, order, options.timeout))


def _print_result(name: str, result: OrderResult) -> int:
    print(f"{name}: {result.result}: {result.message}")
    return 0 if result.result == "Done" else 1


async def _result(cluster: Cluster, ref: Ref, order: str, patience: float) -> OrderResult:
    """Return what came of an order; raises OSError if nothing did in `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        model = await cluster.model(ref)
        known = model.status.state.order
        if known and known.order == order:
            return known
        if time.monotonic() >= deadline:
            raise OSError(_still_open(model, patience))
        await asyncio.sleep(EVERY)


def _still_open(model: Model, patience: float) -> str:
    now = find(model.status.conditions, "Progressing")
    why = f"{now.reason}: {now.message}" if now else "is the operator running?"
    return f"nothing came of it in {patience:g} s, and it stands: {why}"
