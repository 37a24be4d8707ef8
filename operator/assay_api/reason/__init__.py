"""Reasons: one enumeration for conditions, Events, metrics and the trainer, each documented once."""

from collections.abc import Mapping

from assay_api.reason.artifact import ARTIFACT
from assay_api.reason.documented import Documented, Severity
from assay_api.reason.experiment import EXPERIMENT
from assay_api.reason.model import MODEL
from assay_api.reason.shared import SHARED
from assay_api.reason.training import DATA_FAULTS, TRAINING
from assay_api.reason.verdict import VERDICTS
from assay_api.reason.version import VERSION
from assay_api.reason.word import Reason, known

REASONS: Mapping[Reason, Documented] = {
    **SHARED,
    **MODEL,
    **EXPERIMENT,
    **VERDICTS,
    **VERSION,
    **DATA_FAULTS,
    **TRAINING,
    **ARTIFACT,
}

__all__ = ["DATA_FAULTS", "REASONS", "VERDICTS", "Documented", "Reason", "Severity", "known"]
