"""`assay approve`, `abort` and `acknowledge`: a person's word on an Experiment, which the operator reads."""

import argparse
import asyncio
import getpass

from assay_api import Experiment, Ref
from assay_api.names import ABORT, ACKNOWLEDGE, APPROVE
from assay_api.reason import Reason
from assay_cli import target
from assay_cli.watch import EDIT, plainly
from assay_cli.watch_source import Cluster


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-commands."""
    approving = subparsers.add_parser(
        "approve", help="let the winner of an Experiment be promoted", description=__doc__
    )
    approving.add_argument("--by", help="default: your name on this machine")
    approving.set_defaults(run=approve)
    aborting = subparsers.add_parser(
        "abort", help="end an Experiment; the control serves", description=__doc__
    )
    aborting.add_argument("--why", required=True, help="stands in the verdict")
    aborting.set_defaults(run=abort)
    looking = subparsers.add_parser(
        "acknowledge", help="take back the alarm of an A/A test; A/B tests go on", description=__doc__
    )
    looking.add_argument("--why", required=True, help="the cause of the difference; stands in the status")
    looking.set_defaults(run=acknowledge)
    for parser in (approving, aborting, looking):
        parser.add_argument("experiment", help="name of the Experiment")
        target.add_cluster(parser)


def approve(options: argparse.Namespace) -> int:
    """Approve.

    Raises:
        ValueError: No approval is asked for, or it is too late.
        OSError: The cluster can't be asked.
    """
    awaited = _undecided(options)
    if awaited.spec.decision.approval != "Manual":
        raise ValueError(f"{options.experiment} promotes by itself: decision.approval is Automatic")
    _annotate(options, APPROVE, options.by or getpass.getuser())
    when = (
        "it is promoted now"
        if awaited.status.phase == "WaitingForApproval"
        else "it is promoted when it wins"
    )
    print(f"{options.experiment} is approved; {when}")
    return 0


def abort(options: argparse.Namespace) -> int:
    """Abort.

    Raises:
        ValueError: It is over already.
        OSError: The cluster can't be asked.
    """
    _undecided(options)
    _annotate(options, ABORT, options.why)
    print(f"{options.experiment} ends; its units go to the control")
    return 0


def acknowledge(options: argparse.Namespace) -> int:
    """Acknowledge what an A/A test found.

    Raises:
        ValueError: It found no difference.
        OSError: The cluster can't be asked.
    """
    found = target.experiment(options, options.experiment)
    if found.status.decision is None or found.status.decision.reason != Reason.AA_DIFFERS:
        raise ValueError(f"{options.experiment} is no A/A test that found a difference")
    _annotate(options, ACKNOWLEDGE, options.why)
    print(f"{options.experiment} is acknowledged; A/B tests of {found.spec.model_ref.name} go on")
    return 0


def _undecided(options: argparse.Namespace) -> Experiment:
    experiment = target.experiment(options, options.experiment)
    if decision := experiment.status.decision:
        raise ValueError(f"{options.experiment} is over: {experiment.status.phase}, {decision.reason}")
    return experiment


def _annotate(options: argparse.Namespace, key: str, value: str) -> None:
    async def write() -> None:
        async with Cluster(options.kubeconfig, options.context) as cluster:
            await cluster.annotate(Ref(options.namespace, options.experiment), {key: value})

    with plainly("there is no such Experiment", forbidden=EDIT):
        asyncio.run(write())
