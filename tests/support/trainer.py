"""A training as a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from assay_training.spec import Job


def run(job: Job, log: Path, **environment: str) -> tuple[dict[str, Any], str]:
    """The report of a process and all that it printed."""
    variables = {
        **os.environ,
        "ASSAY_JOB": job.model_dump_json(by_alias=True),
        "ASSAY_TERMINATION_LOG": str(log),
    }
    command = [sys.executable, "-m", "assay_training"]
    done = subprocess.run(
        command, env={**variables, **environment}, capture_output=True, text=True, check=False
    )
    return json.loads(log.read_bytes()), done.stdout + done.stderr
