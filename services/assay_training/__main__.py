"""`python -m assay_training`: the job comes in ASSAY_JOB, the report leaves in ASSAY_TERMINATION_LOG."""

import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from assay_training import report, workers
from assay_training.errors import JobError
from assay_training.spec import Job, problems
from assay_training.threads import follow_cpu_limit

TERMINATION_LOG = "/dev/termination-log"


def parse(text: str) -> Job:
    """Read a job.

    Raises:
        JobError: It is none; the message names each bad field.
    """
    try:
        return Job.model_validate_json(text)
    except ValidationError as error:
        raise JobError("InvalidSpec", problems(error.errors(include_url=False))) from None


def run(environment: Mapping[str, str]) -> report.Report:
    """Train what the environment asks for; whatever happens ends in a report."""
    try:
        job = parse(environment.get("ASSAY_JOB", ""))
        return _done(job, workers.place(environment, job))
    except JobError as error:
        return report.failure(error.reason, error.message)
    except Exception as error:
        logging.getLogger(__name__).exception("training crashed")
        return report.failure("TrainingFailed", f"{type(error).__name__}: {error}")


def _done(job: Job, place: workers.Place) -> report.Report:
    follow_cpu_limit(workers=1 + place.helpers)
    from assay_training.job import train, work  # noqa: PLC0415  (numpy reads the number of threads when it is imported)

    if place.number and place.study:
        return work(job, place.study)
    with tempfile.TemporaryDirectory(prefix="assay-study-") as scratch:
        study = place.study or Path(scratch)
        with workers.helpers(place.helpers, study):
            return train(job, study)


def main() -> int:
    """Run the job of this process; 0 if a version was trained, gates passed or not."""
    logging.basicConfig(
        level=os.environ.get("ASSAY_LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)s %(message)s"
    )
    result = run(os.environ)
    print(report.encoded(result).decode(), flush=True)
    try:
        report.write(result, Path(os.environ.get("ASSAY_TERMINATION_LOG", TERMINATION_LOG)))
    except OSError:
        logging.getLogger(__name__).exception("cannot write the termination message")
        return 1
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
