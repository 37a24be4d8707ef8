"""What became of a version: from the last words of its training to its status."""

from dataclasses import dataclass
from json import JSONDecodeError, loads
from typing import Literal

from pydantic import ValidationError

from assay_api import Source, VersionStatus
from assay_api.model import Artifact
from assay_api.resource import Observed
from assay_api.version import Finding, GateResult, StoredArtifact


class Report(Observed):
    """The termination message of a training Job."""

    ok: bool
    reason: str = ""
    message: str = ""
    passed: bool = False
    artifact: StoredArtifact | None = None
    data: dict[str, object] = {}
    environment: dict[str, object] = {}
    best_params: dict[str, object] = {}
    metrics: dict[str, object] = {}
    gates: tuple[GateResult, ...] = ()
    trials: dict[str, int] = {}
    findings: tuple[Finding, ...] = ()


DATA_FAULTS = frozenset(
    {
        "ColumnAllNull",
        "ColumnMissing",
        "ColumnMistyped",
        "ContractViolated",
        "DataAccessDenied",
        "DataEmpty",
        "DataNotFound",
        "DataUnreadable",
        "FeatureUnfit",
        "KeyNotUnique",
        "KeyNull",
        "TargetConstant",
        "TargetLeaks",
        "TargetNull",
        "TargetUnfit",
        "TooFewRows",
        "TooManyCategories",
    }
)


@dataclass(frozen=True)
class Progress:
    """How far a version is; `ready` as in a condition, Unknown while it is being made."""

    phase: str
    ready: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    failed: bool = False
    facts: VersionStatus | None = None  # what the training reported

    @property
    def data_valid(self) -> Literal["True", "False"] | None:
        """Whether the data kept its contract; None while nobody has looked, or if there is none."""
        if self.reason in DATA_FAULTS:
            return "False"
        return "True" if self.facts and self.facts.data else None


def untrained(source: Source) -> Progress | None:
    """Return the progress of a version that needs no training, or None."""
    if source.image:
        return Progress("Ready", "True", "ImageGiven", f"serves {source.image.image}", facts=VersionStatus())
    if source.artifact:
        return Progress(
            "Ready", "True", "ArtifactGiven", f"serves {source.artifact.uri}", facts=_given(source.artifact)
        )
    return None


def _given(artifact: Artifact) -> VersionStatus:
    return VersionStatus(artifact=StoredArtifact(uri=artifact.uri, digest=artifact.digest))


def trained(*, finished: bool, job_message: str, last_words: str, trouble: str) -> Progress:
    """Return the progress of a training Job.

    Args:
        finished: Whether the Job has ended, for better or worse.
        job_message: What the Job's condition says of its failure.
        last_words: The termination message of its pod.
        trouble: What keeps its pod from running, if anything.
    """
    report = _report(last_words)
    if report and (finished or report.ok):
        return _told(report)
    if finished:
        why = trouble or job_message or "the training pod ended and said nothing"
        return Progress(
            "Failed", "False", "TrainingFailed", f"training ended without a report: {why}", failed=True
        )
    message = f"training, but its pod has a problem: {trouble}" if trouble else "training"
    return Progress("Training", "Unknown", "Training", message)


def _report(last_words: str) -> Report | None:
    try:
        return Report.model_validate(loads(last_words))
    except (JSONDecodeError, ValidationError):
        return None


def _told(report: Report) -> Progress:
    if not report.ok:
        return Progress("Failed", "False", report.reason or "TrainingFailed", report.message, failed=True)
    facts = VersionStatus(
        artifact=report.artifact,
        data=report.data,
        environment=report.environment,
        best_params=report.best_params,
        metrics=report.metrics,
        gates=report.gates,
        trials=report.trials,
        findings=report.findings,
    )
    if report.passed:
        return Progress(
            "Ready",
            "True",
            "GatesPassed",
            f"{len(report.gates)} of {len(report.gates)} gates passed",
            facts=facts,
        )
    broken = "; ".join(gate.message or gate.rule for gate in report.gates if not gate.passed)
    return Progress("Rejected", "False", "GateFailed", broken, facts=facts)
