"""An artifact opened by a process of its own, as a predictor does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OPEN = """
import sys, pathlib
from assay_artifact import ArtifactError, fetch, load
try:
    manifest = fetch(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]))
    load(pathlib.Path(sys.argv[3]), manifest)
    print("opened", manifest.format, len(manifest.features))
except ArtifactError as error:
    print(error)
"""


def outcome(environment: dict[str, str], uri: str, digest: str, into: Path) -> str:
    """Return what it says: the format and the number of features, or the refusal."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ran = subprocess.run(
        [sys.executable, "-c", OPEN, uri, digest, str(into)],
        env=clean | {"AWS_EC2_METADATA_DISABLED": "true"} | environment,
        capture_output=True, text=True, check=False, timeout=300, cwd=ROOT,
    )  # fmt: skip
    return ran.stdout + ran.stderr
