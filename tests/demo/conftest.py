"""The demo lives outside the packages; its folders join the path for its tests."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "hack/demo"), str(ROOT / "examples/churn"), str(ROOT / "examples/churn/faulty")]
