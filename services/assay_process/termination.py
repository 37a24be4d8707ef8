"""The termination message: what a container leaves for whoever reads its pod's status."""

import os
from collections.abc import Mapping
from pathlib import Path

MAX_BYTES = 4096  # what the kubelet reads of it
DEFAULT = "/dev/termination-log"


def termination_log(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file that the kubelet reads (ASSAY_TERMINATION_LOG)."""
    return Path(environment.get("ASSAY_TERMINATION_LOG", DEFAULT))
