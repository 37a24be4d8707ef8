"""`make demo`: a churn model wins its experiment on a real Kubernetes, and a broken one loses.

Brings up a cluster with Assay in it, applies three versions of a Model one after the other while users call
it, shows all of it live, and writes out/demo/effect.png and out/demo/recording.jsonl. The exit status is 0
only if all three chapters ended as told. `--keep` leaves the cluster for the curious.
"""

import asyncio
import sys
from importlib import import_module
from pathlib import Path

HACK = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    sys.path[:0] = [str(HACK), str(HACK.parent / "examples/churn")]
    try:
        sys.exit(asyncio.run(import_module("churndemo.main").main()))
    except KeyboardInterrupt:
        print("interrupted; what is up stays up: make down ends it", file=sys.stderr)
        sys.exit(130)
