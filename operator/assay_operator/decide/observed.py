"""Everything a decision about an Experiment may look at, gathered beforehand."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple

from assay_api import ExperimentSpec
from assay_api.duration import seconds
from assay_stats import Evidence, Harm, Moments, NonInferiority, Srm

Role = Literal["Primary", "Guardrail", "Secondary"]


@dataclass(frozen=True)
class ArmSeen:
    """What an arm has seen: units, and their values by metric."""

    name: str
    version: str
    units: int = 0
    moments: Mapping[str, Moments] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """One metric of one candidate against the control."""

    metric: str
    role: Role
    arm: str
    control: Moments
    candidate: Moments
    evidence: Evidence | None = None
    harm: Harm | None = None
    non_inferiority: NonInferiority | None = None


@dataclass(frozen=True)
class Findings:
    """What the collector found strange.

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


NOTHING_STRANGE = Findings()


class Gap(NamedTuple):
    """A metric whose source gave no numbers; `reason` is one of a hold."""

    metric: str
    reason: str
    message: str


@dataclass(frozen=True)
class Trust:
    """What speaks for or against the numbers."""

    srm: Srm | None = None
    findings: Findings = NOTHING_STRANGE
    data_age: float | None = None  # seconds; None: nothing has ever come
    fault: str = ""  # why the collector could not be asked
    gaps: tuple[Gap, ...] = ()  # metrics of other sources that nobody answers for


@dataclass(frozen=True)
class Observed:
    """The world, as far as one Experiment is concerned, at one moment."""

    spec: ExperimentSpec
    now: datetime
    started_at: datetime
    step: int
    step_started_at: datetime
    arms: tuple[ArmSeen, ...]
    readings: tuple[Reading, ...] = ()
    trust: Trust = Trust()
    approved: str = ""  # by whom
    aborted: str = ""  # who or what asks for the end
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
    def total_units(self) -> int:
        """Units of all arms."""
        return sum(arm.units for arm in self.arms)

    @property
    def out_of_time(self) -> bool:
        """Whether the Experiment has lasted as long as it may."""
        return self.elapsed >= seconds(self.spec.decision.max_duration)

    def of(self, role: Role) -> tuple[Reading, ...]:
        """Return the readings of one role."""
        return tuple(reading for reading in self.readings if reading.role == role)

    def record(self) -> dict[str, Any]:
        """Return the numbers from which the verdict follows, as JSON takes them."""
        return {
            "now": self.now.isoformat(),
            "startedAt": self.started_at.isoformat(),
            "step": self.step,
            "arms": {
                arm.name: {
                    "version": arm.version,
                    "units": arm.units,
                    "metrics": {name: list(m) for name, m in arm.moments.items()},
                }
                for arm in self.arms
            },
            "trust": {
                "srmLogEvidence": self.trust.srm.log_e if self.trust.srm else None,
                **asdict(self.trust.findings),
                "dataAgeSeconds": self.trust.data_age,
                "fault": self.trust.fault,
                "gaps": [gap._asdict() for gap in self.trust.gaps],
            },
            "down": dict(self.down),
            "drifting": sorted(self.drifting),
            "aborted": self.aborted,
            "lost": self.lost,
            "alerted": self.alerted,
            "approved": self.approved,
            "programmed": self.programmed,
        }
