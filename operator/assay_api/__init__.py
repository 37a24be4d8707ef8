"""The contract with users: what they write in YAML, as frozen typed values."""

from assay_api.condition import Condition, merged
from assay_api.evidence import Slots
from assay_api.experiment import Arm, Experiment, ExperimentSpec, ExperimentTemplate
from assay_api.experiment_status import ExperimentStatus
from assay_api.metric import Guardrail, Metric, Metrics, Primary
from assay_api.model import Model, ModelSpec, ModelStatus, Source
from assay_api.resource import API_VERSION, GROUP, VERSION, Metadata, Ref
from assay_api.version import ModelVersion, VersionSpec, VersionStatus

__all__ = [
    "API_VERSION",
    "GROUP",
    "VERSION",
    "Arm",
    "Condition",
    "Experiment",
    "ExperimentSpec",
    "ExperimentStatus",
    "ExperimentTemplate",
    "Guardrail",
    "Metadata",
    "Metric",
    "Metrics",
    "Model",
    "ModelSpec",
    "ModelStatus",
    "ModelVersion",
    "Primary",
    "Ref",
    "Slots",
    "Source",
    "VersionSpec",
    "VersionStatus",
    "merged",
]
