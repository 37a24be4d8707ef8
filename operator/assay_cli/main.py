"""`assay`: what people do with Assay at a terminal, one module per sub-command.

Each module has `register(subparsers)`, which adds the parser of its sub-command, or of two that belong
together, and sets `run`, a function of the parsed arguments that returns the exit code.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

COMMANDS = (
    "plan", "simulate", "watch",
    "approve", "promote", "retrain",
    "report", "replay", "assign", "audit", "card",
)  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Return the parser with every sub-command that is installed."""
    top = argparse.ArgumentParser(prog="assay", description="Ship a model only when the evidence says so.")
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        if find_spec(f"assay_cli.{name}"):
            module = import_module(f"assay_cli.{name}")
            if hasattr(module, "register"):
                module.register(subparsers)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; 0 for success, 2 for arguments or data that cannot be used."""
    options = parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ValueError, OSError) as error:
        print(f"assay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
