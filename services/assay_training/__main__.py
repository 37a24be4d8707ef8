"""`python -m assay_training`: the job comes in ASSAY_JOB, the report leaves in ASSAY_TERMINATION_LOG."""

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from assay_process import logs
from assay_process.termination import termination_log
from assay_training.errors import JobError
from assay_training.job import report, secrecy, workers
from assay_training.runtime import progress
from assay_training.runtime.memory import give_back
from assay_training.runtime.threads import follow_cpu_limit
from assay_training.spec import Job, Judging, problems

Kind = TypeVar("Kind", Job, Judging)


def parse(text: str) -> Job:
    """Read a training job.

    Raises:
        JobError: It is none; the message names each bad field.
    """
    return _parsed(text, Job)


def _parsed(text: str, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate_json(text, extra="forbid")
    except ValidationError as error:
        raise JobError("InvalidSpec", problems(error.errors(include_url=False))) from None


def run(environment: Mapping[str, str]) -> report.Report:
    """Train what the environment asks for; whatever happens ends in a report."""
    try:
        text = environment.get("ASSAY_JOB", "")
        if _is_judging(text):
            return _judged(_parsed(text, Judging))
        job = parse(text)
        role = workers.role(environment, job)
        port = 0 if role.number else int(environment.get("ASSAY_PROGRESS_PORT", "0"))
        with progress.served(port) as tell:
            return _done(job, role, tell)
    except JobError as error:
        return report.failure(error.reason, error.message, passing=error.passing)
    except Exception as error:
        logging.getLogger(__name__).exception("training crashed")
        return report.failure("TrainingFailed", f"{type(error).__name__}: {error}")


def _is_judging(text: str) -> bool:
    try:
        parsed = json.loads(text)
    except ValueError:
        return False
    return isinstance(parsed, dict) and "evaluation" in parsed


def _judged(job: Judging) -> report.Report:
    follow_cpu_limit()
    give_back()
    from assay_training.job.judging import judged  # noqa: PLC0415  (as below)

    return judged(job)


def _done(job: Job, role: workers.WorkerRole, tell: progress.Tell) -> report.Report:
    follow_cpu_limit(workers=1 + role.helpers)
    give_back()
    from assay_training.job.training import train, work  # noqa: PLC0415  (numpy reads the number of threads when it is imported)

    if role.number and role.study:
        return work(job, role.study)
    with tempfile.TemporaryDirectory(prefix="assay-study-") as scratch:
        study = role.study or Path(scratch)
        with workers.helpers(role.helpers, study):
            return train(job, study, tell)


def _leave(*_: object) -> None:
    """Go at once: the first process of a container would not, and what is half done is made up for."""
    sys.exit(128 + signal.SIGTERM)


def main() -> int:
    """Run the job of this process; 0 if a version was trained, gates passed or not."""
    logs.configure(os.environ.get("ASSAY_LOG_LEVEL", "INFO"))
    signal.signal(signal.SIGTERM, _leave)
    result = run(os.environ)
    if "message" in result:
        result = {**result, "message": secrecy.scrubbed(result["message"], os.environ)}
    print(report.encoded(result).decode(), flush=True)
    try:
        report.write(result, termination_log())
    except OSError:
        logging.getLogger(__name__).exception("cannot write the termination message")
        return 1
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
