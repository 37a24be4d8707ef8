"""Compare the CRDs with what would be generated now; write nothing. Tests compare the pages of reference."""

import sys
from pathlib import Path

from assay_api import crd

ROOT = Path(__file__).resolve().parents[1]


def stale() -> list[str]:
    """Return the files that differ."""
    wanted = {ROOT / "crds" / name: text for name, text in crd.render().items()}
    return [str(path.relative_to(ROOT)) for path, text in wanted.items() if path.read_text() != text]


if __name__ == "__main__":
    if found := stale():
        sys.exit(f"not as generated, run `make generate`: {', '.join(found)}")
