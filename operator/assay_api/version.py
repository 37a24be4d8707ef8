"""The `ModelVersion` resource: an immutable record of a version, made by the operator."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from assay_api.condition import Condition
from assay_api.experiment import ModelRef
from assay_api.model import Source
from assay_api.resource import NO_DOUBLE_DASH, Metadata, Observed, Resource, Whole, keyed_by, named
from assay_api.rule import Rule

IMMUTABLE = Rule("self == oldSelf", "a ModelVersion never changes; edit the Model to get a new one")
_FREE = {"x-kubernetes-preserve-unknown-fields": True}


class VersionSpec(Resource):
    """What this version was made from."""

    RULES: ClassVar = (IMMUTABLE,)

    model_ref: Annotated[ModelRef, Field(description="Model that the version belongs to.")]
    number: Annotated[Whole, Field(ge=1, le=1_000_000_000, description="Number of the version.")]
    source: Annotated[Source, Field(description="What the version is made from.")]
    source_digest: Annotated[str, Field(max_length=71, description="Digest of the source.")]
    trigger: Annotated[
        Literal["Spec", "Manual"],
        Field(description="Spec: the Model's spec changed. Manual: a retraining of it was requested."),
    ] = "Spec"


class StoredArtifact(Observed):
    """Where the version lies."""

    uri: Annotated[str, Field(description="fsspec URL of the artifact.", max_length=2048)]
    digest: Annotated[str, Field(description="sha256 of the artifact.", max_length=71)]
    format: Annotated[str, Field(description="Format of the artifact.", max_length=32)] = ""
    bytes: Annotated[int, Field(description="Size of the artifact in bytes.")] = 0


class GateResult(Observed):
    """One gate, and how the version did."""

    metric: Annotated[str, Field(description="Metric on the test rows.", max_length=63)]
    rule: Annotated[str, Field(description="Bar of the gate.", max_length=256)]
    value: Annotated[float | None, Field(description="Value of the metric.")] = None
    passed: Annotated[bool, Field(description="Whether the version passed the gate.")]
    message: Annotated[str, Field(description="Details, for people.", max_length=1024)] = ""


class Finding(Observed):
    """Something about the training that is worth knowing, and stops nothing."""

    reason: Annotated[str, Field(description="Reason, in CamelCase.", max_length=63)]
    message: Annotated[str, Field(description="Details, for people.", max_length=1024)]


class VersionState(Observed):
    """What the operator must remember of a version; only the operator reads it."""

    schema_version: Annotated[Literal[1], Field(description="Version of this block's schema.")] = 1
    retries: Annotated[
        int, Field(ge=0, description="How often its Job was started again after a failure that may pass.")
    ] = 0
    retry_at: Annotated[
        datetime | None, Field(description="When its Job is started again; absent: nothing is scheduled.")
    ] = None
    retry_reason: Annotated[
        str, Field(max_length=1024, description="The failure that is tried again, in a sentence.")
    ] = ""
    failed_job: Annotated[
        str, Field(max_length=63, description="uid of the Job whose failure is tried again; it is removed.")
    ] = ""


class VersionStatus(Observed):
    """What came of it."""

    observed_generation: Annotated[
        int, Field(description="Generation of the spec that the status is about.", ge=0)
    ] = 0
    phase: Annotated[str, Field(max_length=63, description="For people; programs read the conditions.")] = ""
    artifact: Annotated[StoredArtifact | None, Field(description="Artifact of the version.")] = None
    data: Annotated[
        dict[str, Any], Field(description="Dataset: digest, rows and columns.", json_schema_extra=_FREE)
    ] = {}
    environment: Annotated[
        dict[str, Any],
        Field(description="Training environment: image, packages and seed.", json_schema_extra=_FREE),
    ] = {}
    best_params: Annotated[
        dict[str, Any], Field(description="Hyperparameters of the best trial.", json_schema_extra=_FREE)
    ] = {}
    metrics: Annotated[
        dict[str, Any],
        Field(description="Metrics on test rows and in cross-validation.", json_schema_extra=_FREE),
    ] = {}
    trials: Annotated[dict[str, int], Field(max_length=10, description="Finished, pruned and failed.")] = {}
    findings: Annotated[
        tuple[Finding, ...], Field(description="Warnings of the training that stop nothing.", max_length=16)
    ] = ()
    gates: Annotated[
        tuple[GateResult, ...], Field(description="Results of the quality gates.", max_length=150)
    ] = ()
    state: Annotated[VersionState, Field(description="What the operator must remember.")] = VersionState()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            description="Conditions, as kubectl and kstatus read them.",
            max_length=16,
            json_schema_extra=keyed_by("type"),
        ),
    ] = ()


NAME_FITS = named(52)  # leaves room for what the names of its children end with


class ModelVersion(Observed):
    """An immutable record of one version of a Model."""

    RULES: ClassVar = (NAME_FITS, NO_DOUBLE_DASH)

    metadata: Metadata
    spec: Annotated[VersionSpec, Field(description="What the version was made from; immutable.")]
    status: Annotated[VersionStatus, Field(description="Observed state.")] = VersionStatus()
