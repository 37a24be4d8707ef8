"""`python -m assay_stats.validation`: the table, and 1 if any bar is broken."""

import argparse
import sys
from collections.abc import Sequence

from assay_stats import validation
from assay_stats.validation import FULL, QUICK, line


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; 0 if every bar holds."""
    parser = argparse.ArgumentParser(prog="python -m assay_stats.validation", description=validation.__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute, wider Monte-Carlo errors")
    parser.add_argument("--cores", type=int, default=0, help="processes; 0: one for --quick, else two")
    options = parser.parse_args(arguments)
    scale = QUICK if options.quick else FULL
    scale = scale._replace(cores=options.cores or scale.cores)
    print("| simulated | found | bar | mean stop | runs | |\n|---|---|---|---|---|---|")
    broken = 0
    for claim in validation.claims(scale):
        print(line(claim), flush=True)
        broken += not claim.holds
    print(f"\n{broken} bars broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
