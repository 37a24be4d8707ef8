"""`assay replay`: compute a verdict again from its evidence, and compare."""

import argparse
from pathlib import Path

import yaml

from assay_api import Experiment
from assay_cli import target
from assay_operator.decide.replay import replay


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "replay", help="compute a verdict again; 1 if it differs", description=__doc__
    )
    parser.add_argument("experiment", nargs="?", help="name of a decided Experiment")
    parser.add_argument(
        "-f", "--file", help="instead of a cluster: kubectl get experiments.assay.dev NAME -o yaml"
    )
    target.add_cluster(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print both verdicts; 1 if they differ.

    Raises:
        ValueError: It isn't decided, or was decided without numbers.
        OSError: The file can't be read, or the cluster can't be asked.
    """
    experiment = _read(options)
    again, then = replay(experiment), experiment.status.decision
    assert then is not None
    same = (again.kind, again.reason, again.winner) == (then.verdict, then.reason, then.winner)
    print(f"then:  {then.verdict}, {then.reason}: {then.message}")
    print(f"again: {again.kind}, {again.reason}: {again.message}")
    print("the same verdict" if same else "NOT the same verdict")
    return 0 if same else 1


def _read(options: argparse.Namespace) -> Experiment:
    if options.file:
        return Experiment.model_validate(yaml.safe_load(Path(options.file).read_text()))
    if not options.experiment:
        raise ValueError("name an Experiment, or a --file")
    return target.experiment(options, options.experiment)
