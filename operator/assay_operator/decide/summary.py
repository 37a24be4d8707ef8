"""What was counted for an Experiment: by the collector, and by the sources that metrics name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from assay_operator.decide.experiment_facts import CLEAN, QualityCounts
from assay_operator.decide.maturity import Maturity
from assay_stats import Moments


@dataclass(frozen=True)
class ArmSummary:
    """Units and exposures of one arm, and its moments by metric; those of mature units by `names.mature`."""

    units: int
    exposures: int
    moments: Mapping[str, Moments]


@dataclass(frozen=True)
class Summary:
    """The collector's counts of an Experiment."""

    arms: Mapping[str, ArmSummary] = field(default_factory=dict)
    last_ingest: datetime | None = None
    findings: QualityCounts = CLEAN
    maturity: Mapping[str, Maturity] = field(default_factory=dict)
    unknown_metrics: tuple[str, ...] = ()  # named in outcomes, and declared by no Experiment of the Model


@dataclass(frozen=True)
class Reading:
    """The newest answer of the collector for one Experiment.

    Attributes:
        summary: The counts; None if there was no answer, or the collector does not know the Experiment.
        fault: Why there was no answer; empty if there was one.
        pending: Whether the first answer is still on its way.
    """

    summary: Summary | None = None
    fault: str = ""
    pending: bool = False


@dataclass(frozen=True)
class Sample:
    """The newest answer of a metric's own source: the moments of each arm, and why there is nothing newer."""

    moments: Mapping[str, Moments] = field(default_factory=dict)
    reason: str = "NoData"  # of a hold; empty when all is well
    message: str = "not asked yet"


NO_SAMPLE = Sample()
