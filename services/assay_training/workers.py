"""Many hands on one study: other processes of this pod, or other pods of an Indexed Job.

In an Indexed Job, the pod of index 0 leads: it waits for the others' trials, fits and writes; they only run
trials. Elsewhere the leader starts the other workers itself. The study's folder lies beside the artifact if
the store is a file system, so that a killed Job goes on where it was.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from assay_training.spec import Job

INDEX, STUDY = "JOB_COMPLETION_INDEX", "ASSAY_STUDY_DIR"


class Place(NamedTuple):
    """This process among the workers of a study."""

    number: int
    study: Path | None  # None: nobody else can see it, and it ends with the process
    helpers: int  # how many other workers it has to start


def place(environment: Mapping[str, str], job: Job) -> Place:
    """Where this process stands."""
    index, study = environment.get(INDEX), environment.get(STUDY)
    helpers = job.training.tuning.parallelism - 1 if index is None else 0
    return Place(int(index or 0), Path(study) if study else _beside(job), helpers)


def _beside(job: Job) -> Path | None:
    parts = urlsplit(job.destination)
    return Path(unquote(parts.path), ".study") if parts.scheme in ("", "file") else None


@contextmanager
def helpers(count: int, study: Path) -> Iterator[None]:
    """So many other workers of this job for the length of the block; they leave when no trial is left."""
    started = [_start({**os.environ, INDEX: str(index), STUDY: str(study)}) for index in range(1, count + 1)]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
            process.wait()


def _start(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    quiet = {**environment, "ASSAY_TERMINATION_LOG": os.devnull}
    command = [sys.executable, "-m", "assay_training"]
    return subprocess.Popen(command, env=quiet, stdout=subprocess.DEVNULL)
