"""`assay audit`: recompute the arm of every exposure of a gateway's log."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

from assay_assign import assigned

SHOWN = 20  # mismatches that are printed
NONE = "none"


class Found(NamedTuple):
    """What a line of the log is: `sound`, `mismatch`, `outside` any Experiment, or `unreadable`."""

    kind: str
    words: str = ""


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "audit", help="recompute logged exposures; 1 if one is wrong", description=__doc__
    )
    parser.add_argument("log", nargs="?", default="-", help="JSON lines of the gateway; - is stdin")
    parser.add_argument("--uid", help="only exposures of the Experiment with this UID")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what was found; 1 if an exposure contradicts its hash.

    Raises:
        OSError: The file can't be read.
    """
    if options.log == "-":
        counts = audit(sys.stdin, options.uid)
    else:
        with open(options.log, encoding="utf-8", errors="replace") as log:
            counts = audit(log, options.uid)
    print(
        f"{counts['sound'] + counts['mismatch']} exposures, {counts['mismatch']} mismatches; "
        f"{counts['outside']} lines of no Experiment, {counts['unreadable']} unreadable"
    )
    return 1 if counts["mismatch"] else 0


def audit(lines: Iterable[str], uid: str | None = None) -> Counter[str]:
    """Look at every line, print the first mismatches, and count."""
    counts: Counter[str] = Counter()
    for number, line in enumerate(lines, 1):
        found = judged(line, uid)
        counts[found.kind] += 1
        if found.kind == "mismatch" and counts["mismatch"] <= SHOWN:
            print(f"line {number}: {found.words}")
    return counts


def judged(line: str, uid: str | None = None) -> Found:
    """Recompute one line."""
    try:
        entry = json.loads(line)
        if not entry.get("experiment") or entry.get("assigned") in (None, NONE):
            return Found("outside")
        return _recomputed(entry) if uid in (None, entry["experiment"]) else Found("outside")
    except (ValueError, TypeError, AttributeError) as error:
        return Found("unreadable", str(error))


def _recomputed(entry: dict[str, Any]) -> Found:
    unit, experiment = str(entry.get("unit") or ""), entry["experiment"]
    expected = assigned(entry.get("salt") or experiment, unit, entry.get("table") or "")
    if unit and expected == entry["assigned"]:
        return Found("sound")
    return Found(
        "mismatch", f"unit {unit!r} of {experiment} got {entry['assigned']}, the hash says {expected}"
    )
