"""Many hands on one study: other processes of this pod, or other pods of an Indexed Job.

In an Indexed Job, the pod of index 0 leads: it waits for the others' trials, fits and writes; they only run
trials. Elsewhere the leader starts the other workers itself. The study lies in PostgreSQL if the spec wants
it, else in a folder beside the Model's artifacts if their store is a file system: so a killed Job goes on
where it was, and a new version with the same search finds its trials.
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

Where = Path | str  # a folder, or the SQLAlchemy URL of a database

INDEX, STUDY, URL = "JOB_COMPLETION_INDEX", "ASSAY_STUDY_DIR", "ASSAY_STUDY_URL"


class WorkerRole(NamedTuple):
    """This process among the workers of a study."""

    number: int
    study: Where | None  # None: nobody else can see it, and it ends with the process
    helpers: int  # how many other workers it has to start


def role(environment: Mapping[str, str], job: Job) -> WorkerRole:
    """Where this process stands."""
    index, folder = environment.get(INDEX), environment.get(STUDY)
    helpers = job.training.tuning.parallelism - 1 if index is None else 0
    study: Where | None = Path(folder) if folder else _beside(job)
    if job.training.tuning.storage:
        study = environment.get(URL) or "no URL"
    return WorkerRole(int(index or 0), study, helpers)


def _beside(job: Job) -> Path | None:
    parts = urlsplit(job.destination)
    return Path(unquote(parts.path)).parent / ".study" if parts.scheme in ("", "file") else None


@contextmanager
def helpers(count: int, study: Where) -> Iterator[None]:
    """So many other workers of this job for the length of the block; they leave when no trial is left."""
    shared = {STUDY: str(study)} if isinstance(study, Path) else {}
    started = [_start({**os.environ, INDEX: str(index), **shared}) for index in range(1, count + 1)]
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
