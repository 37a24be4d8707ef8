"""Everything a decision about an Experiment may look at, gathered beforehand."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from assay_api import Arm, ExperimentSpec
from assay_api.duration import seconds
from assay_api.evidence import ArmEvidence, Evidence, GapEvidence, Peak, QualityEvidence
from assay_api.experiment_status import AnalysisPlan
from assay_api.reason import Reason
from assay_operator.decide.maturity import Maturity
from assay_stats import Evidence as Estimate
from assay_stats import Harm, Moments, NonInferiority, Srm

Role = Literal["Primary", "Guardrail", "Secondary"]


@dataclass(frozen=True)
class ArmCounts:
    """What was counted for an arm: units, and the moments of their values by metric."""

    name: str
    version: str
    units: int = 0
    moments: Mapping[str, Moments] = field(default_factory=dict)


class Mature(NamedTuple):
    """Sums of the units that are old enough for their outcomes to have come."""

    control: Moments
    candidate: Moments
    learned: bool


@dataclass(frozen=True)
class Reading:
    """One metric of one candidate against the control.

    Attributes:
        mature: The same of mature units, where outcomes may come at any time.
        early: What all units say of a primary, where only mature ones decide for the candidate.
    """

    metric: str
    role: Role
    arm: str
    control: Moments
    candidate: Moments
    mature: Mature | None = None
    evidence: Estimate | None = None
    early: Estimate | None = None
    harm: Harm | None = None
    non_inferiority: NonInferiority | None = None

    @property
    def judged(self) -> tuple[Moments, Moments]:
        """The sums of control and candidate that the evidence is of."""
        if self.mature is None or self.evidence is None or self.evidence is self.early:
            return self.control, self.candidate
        return self.mature.control, self.mature.candidate


@dataclass(frozen=True)
class QualityCounts:
    """What the collector counted that speaks against its numbers.

    Attributes:
        audit_mismatches: Exposures under another arm than the hash says.
        crossover_units: Units seen in two arms, and excluded.
        bot_units: Units that asked too often, and were excluded.
        duplicate_exposures: Exposures that came again, and were counted once.
        orphan_outcomes: Outcomes of units that were in no arm; most are of who is not enrolled.
        late_outcomes: Outcomes after their window or after the end, which count nowhere.
    """

    audit_mismatches: int = 0
    crossover_units: int = 0
    bot_units: int = 0
    duplicate_exposures: int = 0
    orphan_outcomes: int = 0
    late_outcomes: int = 0


CLEAN = QualityCounts()


class Gap(NamedTuple):
    """A metric whose source gave no numbers; `reason` is one of a hold."""

    metric: str
    reason: str
    message: str


@dataclass(frozen=True)
class DataQuality:
    """What speaks for or against the numbers."""

    srm: Srm | None = None
    counts: QualityCounts = CLEAN
    data_age: float | None = None  # seconds; None: nothing has ever come
    fault: str = ""  # why the collector could not be asked
    gaps: tuple[Gap, ...] = ()  # metrics of other sources that nobody answers for
    unknown_metrics: tuple[str, ...] = ()  # named in outcomes, and declared by no Experiment of the Model


@dataclass(frozen=True)
class ExperimentFacts:
    """The world, as far as one Experiment is concerned, at one moment."""

    spec: ExperimentSpec
    now: datetime
    started_at: datetime
    step: int
    step_started_at: datetime
    arms: tuple[ArmCounts, ...]
    readings: tuple[Reading, ...] = ()
    plan: AnalysisPlan | None = None  # the rules that the readings are by
    peaks: tuple[Peak, ...] = ()  # log evidence that was reached before
    maturity: Mapping[str, Maturity] = field(default_factory=dict)  # of metrics without a window
    quality: DataQuality = DataQuality()
    dropped: frozenset[str] = frozenset()  # arms that were taken out before
    approved: str = ""  # by whom
    aborted: str = ""  # who or what asks for the end
    abort_reason: Reason = Reason.ABORTED
    lost: str = ""  # what an arm has lost that it cannot do without
    down: Mapping[str, float] = field(default_factory=dict)  # seconds without a ready pod, by candidate
    drifting: frozenset[str] = frozenset()  # arms that an alert names
    alerted: str = ""  # the alert, if one fires
    programmed: bool = True

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self.now - self.started_at).total_seconds()

    @property
    def in_step(self) -> float:
        """Seconds since the present step began."""
        return (self.now - self.step_started_at).total_seconds()

    @property
    def last_step(self) -> bool:
        """Whether the ramp is at its end."""
        return self.step >= len(self.spec.ramp) - 1

    @property
    def candidates(self) -> tuple[Arm, ...]:
        """The candidates that are still in the Experiment."""
        return tuple(arm for arm in self.spec.candidates if arm.name not in self.dropped)

    @property
    def present(self) -> tuple[ArmCounts, ...]:
        """The counts of the control and of the candidates that are still in."""
        return tuple(arm for arm in self.arms if arm.name not in self.dropped)

    @property
    def total_units(self) -> int:
        """Units of all arms."""
        return sum(arm.units for arm in self.arms)

    @property
    def out_of_time(self) -> bool:
        """Whether the Experiment has lasted as long as it may."""
        return self.elapsed >= seconds(self.spec.decision.max_duration)

    def of(self, role: Role) -> tuple[Reading, ...]:
        """Return the readings of one role, of the candidates that are still in."""
        return tuple(r for r in self.readings if r.role == role and r.arm not in self.dropped)

    def record(self) -> Evidence:
        """Return the numbers from which the verdict follows; the caller adds the table and the salt."""
        return Evidence(
            now=self.now,
            started_at=self.started_at,
            step=self.step,
            step_started_at=self.step_started_at,
            arms={arm.name: _arm(arm) for arm in self.arms},
            peaks=self.peaks,
            quality=_quality(self.quality),
            dropped=tuple(sorted(self.dropped)),
            down=dict(self.down),
            drifting=tuple(sorted(self.drifting)),
            alerted=self.alerted[:4096],
            aborted=self.aborted[:2048],
            lost=self.lost[:1024],
            approved=self.approved[:1024],
            programmed=self.programmed,
        )


def _arm(arm: ArmCounts) -> ArmEvidence:
    metrics = {name: tuple(float(value) for value in moments) for name, moments in arm.moments.items()}
    return ArmEvidence(version=arm.version, units=arm.units, metrics=metrics)


def _quality(quality: DataQuality) -> QualityEvidence:
    return QualityEvidence(
        srm_log_evidence=quality.srm.log_e if quality.srm else None,
        data_age_seconds=quality.data_age,
        fault=quality.fault[:1024],
        gaps=tuple(
            GapEvidence(metric=gap.metric, reason=gap.reason, message=gap.message[:1024])
            for gap in quality.gaps
        ),
        **asdict(quality.counts),
    )
