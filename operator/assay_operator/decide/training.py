"""What became of a version: from the last words of its training to its status."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import ValidationError

from assay_api import Source, VersionStatus
from assay_api.model import Artifact
from assay_api.reason import DATA_FAULTS, Reason, known
from assay_api.resource import Observed
from assay_api.version import Finding, GateResult, StoredArtifact
from assay_operator.decide import tenant_json
from assay_operator.decide.desired_condition import DesiredCondition


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
    worker: bool = False  # it only ran trials for another pod, which has the word
    passing: bool = False  # the failure may be over when it is tried again


@dataclass(frozen=True)
class VersionProgress:
    """How far a version is; `ready` as in a condition, Unknown while it is being made."""

    phase: str
    ready: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str
    passing: bool = False
    facts: VersionStatus | None = None  # what the training reported

    @property
    def data_valid(self) -> Literal["True", "False"] | None:
        """Whether the data kept its contract; None while nobody has looked, or if there is none."""
        if self.reason in DATA_FAULTS:
            return "False"
        return "True" if self.facts and self.facts.data else None


def untrained(source: Source) -> VersionProgress | None:
    """Return the progress of a version that needs no training, or None."""
    if source.image and not source.evaluation:
        return VersionProgress(
            "Ready", "True", Reason.IMAGE_GIVEN, f"serves {source.image.image}", facts=VersionStatus()
        )
    if source.artifact and not source.evaluation:
        return VersionProgress(
            "Ready",
            "True",
            Reason.ARTIFACT_GIVEN,
            f"serves {source.artifact.uri}",
            facts=_given(source.artifact),
        )
    return None


def _given(artifact: Artifact) -> VersionStatus:
    return VersionStatus(artifact=StoredArtifact(uri=artifact.uri, digest=artifact.digest))


def made_by(progress: VersionProgress, **images: str) -> VersionProgress:
    """Return the same with the images that did it, as far as they are known, in what is recorded."""
    if progress.facts is None or not progress.facts.data:
        return progress
    known = {name: image for name, image in images.items() if image}
    environment = progress.facts.environment | known
    return replace(progress, facts=progress.facts.changed(environment=environment))


def judging(progress: VersionProgress) -> VersionProgress:
    """Return the same of a Job that trains nothing, but judges what was brought."""
    if progress.reason != Reason.TRAINING:
        return progress
    words = progress.message.replace("training", "judging", 1)
    return replace(progress, phase="Judging", reason=Reason.JUDGING, message=words)


def superseded(progress: VersionProgress) -> VersionProgress:
    """Return what becomes of a training that nobody waits for any more; one that has ended is kept."""
    if progress.ready != "Unknown":
        return progress
    words = "the Model's spec asked for another version before this one was made; its training was ended"
    return VersionProgress("Superseded", "False", Reason.SUPERSEDED, words)


class StudyProgress(Observed):
    """What a leading worker says of its study while it runs."""

    stage: Literal["Reading", "Tuning", "Fitting"] = "Reading"
    wanted: int = 0
    finished: int = 0
    pruned: int = 0
    failed: int = 0
    best: float | None = None
    metric: str = ""


def trained(
    *,
    finished: bool,
    job_message: str,
    last_words: tuple[str, ...],
    trouble: str,
    raw_study: Mapping[str, object],
) -> VersionProgress:
    """Return the progress of a training Job.

    Args:
        finished: Whether the Job has ended, for better or worse.
        job_message: What the Job's condition says of its failure.
        last_words: The termination messages of its pods.
        trouble: What keeps a pod from running, if anything.
        raw_study: What the leading worker says of its study.
    """
    report = _report(last_words)
    if report and (finished or report.ok):
        return _reported(report)
    if finished:
        why = trouble or job_message or "the training pod ended and said nothing"
        return VersionProgress(
            "Failed", "False", Reason.TRAINING_FAILED, f"training ended without a report: {why}"
        )
    return _under_way(raw_study, f", but a pod has a problem: {trouble}" if trouble else "")


def _under_way(raw_study: Mapping[str, object], trouble: str) -> VersionProgress:
    try:
        study = StudyProgress.model_validate(raw_study)
    except ValidationError:
        study = StudyProgress()
    if not raw_study or study.stage == "Reading":
        return VersionProgress("Training", "Unknown", Reason.TRAINING, f"training{trouble}")
    best = f", best {study.metric} {study.best:.6g}" if study.best is not None else ""
    failed = f", {study.failed} failed" if study.failed else ""
    message = f"{study.finished} of {study.wanted} trials{best}{failed}{trouble}"
    counts = {"finished": study.finished, "pruned": study.pruned, "failed": study.failed}
    reason = Reason.TUNING if study.stage == "Tuning" else Reason.FITTING
    return VersionProgress("Training", "Unknown", reason, message, facts=VersionStatus(trials=counts))


def _report(last_words: tuple[str, ...]) -> Report | None:
    """The leader's report; a worker's own only if it failed."""
    found = [report for words in last_words if (report := _parsed(words)) and not report.worker]
    return next((report for report in found if report.ok), found[0] if found else None)


def _parsed(words: str) -> Report | None:
    try:
        return Report.model_validate(tenant_json.loads(words))
    except ValueError:  # a ValidationError is one
        return None


_FITS = (Reason.OVERFITTING, Reason.UNDERFITTING)


def fits(findings: tuple[Finding, ...]) -> tuple[DesiredCondition, ...]:
    """Return the conditions about the fit of a trained version."""
    found = {finding.reason: finding.message for finding in findings}
    usual = "train-validation gap within the expected range"
    return tuple(
        DesiredCondition(kind, "True", kind, found[kind])
        if kind in found
        else DesiredCondition(kind, "False", Reason.FIT_AS_EXPECTED, usual)
        for kind in _FITS
    )


def _reported(report: Report) -> VersionProgress:
    if not report.ok:
        reason = known(report.reason, Reason.TRAINING_FAILED)
        return VersionProgress("Failed", "False", reason, report.message, passing=report.passing)
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
        return VersionProgress(
            "Ready",
            "True",
            Reason.GATES_PASSED,
            f"{len(report.gates)} of {len(report.gates)} gates passed",
            facts=facts,
        )
    broken = "; ".join(gate.message or gate.rule for gate in report.gates if not gate.passed)
    return VersionProgress("Rejected", "False", Reason.GATE_FAILED, broken, facts=facts)
