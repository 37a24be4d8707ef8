"""Compare the branch coverage of every package with its floor: what was measured once, and never less.

`python hack/coverage_floors.py out/coverage.json` fails below a floor; `--raise` lifts floors to what was
measured, in whole percent. It is that of tests in their own process: what runs in others does not count.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import floor
from pathlib import Path
from typing import Any

FLOORS = Path(__file__).with_name("coverage_floors.txt")


def measured(report: Mapping[str, Any]) -> dict[str, float]:
    """Return the percentage of statements and branches that were run, by package.

    Args:
        report: What `coverage json` writes.

    >>> summary = {"covered_lines": 8, "covered_branches": 1, "num_statements": 10, "num_branches": 2}
    >>> measured({"files": {"services/assay_stats/a.py": {"summary": summary}}})
    {'assay_stats': 75.0}
    """
    run: defaultdict[str, int] = defaultdict(int)
    there: defaultdict[str, int] = defaultdict(int)
    for path, file in report["files"].items():
        package, summary = Path(path).parts[1], file["summary"]
        run[package] += summary["covered_lines"] + summary["covered_branches"]
        there[package] += summary["num_statements"] + summary["num_branches"]
    return {package: 100 * run[package] / there[package] for package in sorted(there) if there[package]}


def floors() -> dict[str, int]:
    """Return the percentage below which a package may not fall."""
    pairs = (line.split() for line in FLOORS.read_text().splitlines())
    return {package: int(percent) for package, percent in pairs}


def raised(known: Mapping[str, int], found: Mapping[str, float]) -> dict[str, int]:
    """Return the floors after this measurement; none sinks.

    >>> raised({"a": 90, "b": 80}, {"a": 89.9, "b": 81.7, "c": 50.2})
    {'a': 90, 'b': 81, 'c': 50}
    """
    return {package: max(known.get(package, 0), floor(percent)) for package, percent in found.items()}


def main(arguments: Sequence[str]) -> int:
    """Print a line for each package; 1 if one is below its floor."""
    found, known = measured(json.loads(Path(arguments[0]).read_text())), floors()
    if "--raise" in arguments:
        known = raised(known, found)
        FLOORS.write_text("".join(f"{package} {percent}\n" for package, percent in known.items()))
    below = [package for package, percent in found.items() if percent < known.get(package, 100)]
    for package, percent in found.items():
        end = "  below its floor" if package in below else ""
        print(f"{package:16} {percent:5.1f} %  (floor {known.get(package, 100)} %){end}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
