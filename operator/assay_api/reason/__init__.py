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

TABLES: Mapping[str, Mapping[Reason, Documented]] = {
    "Model": MODEL,
    "ModelVersion: made, judged and served": VERSION,
    "ModelVersion: the data that it is trained on": DATA_FAULTS,
    "ModelVersion: what else ends a training": TRAINING,
    "ModelVersion: why a predictor does not start": ARTIFACT,
    "Experiment: until it is decided": EXPERIMENT,
    "Experiment: verdicts": VERDICTS,
    "Every kind, and the gateways": SHARED,
}
REASONS: Mapping[Reason, Documented] = {
    reason: documented for table in TABLES.values() for reason, documented in table.items()
}

__all__ = ["DATA_FAULTS", "REASONS", "TABLES", "VERDICTS", "Documented", "Reason", "Severity", "known"]
