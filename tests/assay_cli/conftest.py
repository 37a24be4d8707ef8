"""The operator's world in memory, which commands see over HTTP as they would see a cluster."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "assay_operator" / "support"))
