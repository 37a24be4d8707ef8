"""The demo lives outside the packages; its folders join the path for its tests."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [
    str(ROOT / folder) for folder in ("hack", "hack/demo", "examples/churn", "examples/churn/faulty")
]
