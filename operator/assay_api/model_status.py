"""The status of a `Model`: what people read, and the state that the operator must remember."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from assay_api.condition import Condition
from assay_api.resource import Observed, keyed_by


class ChampionRecord(Observed):
    """A version, since when it was the champion, and why."""

    version: Annotated[str, Field(max_length=63, description="Name of the ModelVersion.")]
    since: Annotated[datetime, Field(description="When it became champion, in microseconds.")]
    reason: Annotated[str, Field(max_length=256, description="Why, in a sentence.")] = ""
    cause: Annotated[
        Literal[
            "FirstVersion",
            "Verdict",
            "Restored",
            "Replace",
            "Order",
            "BakeFailed",
            "BakeBreached",
            "ChampionDeleted",
            "",
        ],
        Field(description="Cause of the change; each order, verdict and change of the spec acts once."),
    ] = ""
    experiment: Annotated[
        str, Field(max_length=63, description="The Experiment that it won, if that is why.")
    ] = ""
    source_digest: Annotated[
        str, Field(max_length=71, description="Digest of the source that it was made from.")
    ] = ""


class Alert(Observed):
    """A drift alert that fires now."""

    fingerprint: Annotated[str, Field(max_length=128, description="Alertmanager's identity of the alert.")]
    name: Annotated[str, Field(max_length=256, description="Name of the alerting rule.")]
    arms: Annotated[
        tuple[Annotated[str, Field(max_length=63)], ...],
        Field(max_length=10, description="Arms or versions that it names; none: the whole Model."),
    ] = ()
    since: Annotated[datetime, Field(description="When it began to fire.")]


class OrderResult(Observed):
    """What came of the order that a person gave last, by `assay promote` or `assay rollback`."""

    order: Annotated[str, Field(max_length=512, description="The annotation that gave it.")]
    result: Annotated[
        Literal["Done", "Refused"],
        Field(description="Done: the version serves. Refused: the order cannot be carried out; see message."),
    ]
    message: Annotated[str, Field(max_length=1024, description="The result in a sentence.")] = ""
    at: Annotated[datetime, Field(description="When it was carried out or refused.")]


class FormerLevel(Observed):
    """How the former champion answered, before another took over: sums over seconds of shares."""

    version: Annotated[str, Field(max_length=63, description="The former champion.")]
    until: Annotated[datetime, Field(description="When the other one took over.")]
    seconds: Annotated[int, Field(ge=0, description="Seconds in which it answered.")]
    errors: Annotated[float, Field(ge=0, description="Sum of the shares that failed.")]
    slow: Annotated[
        dict[str, Annotated[float, Field(ge=0)]],
        Field(max_length=16, description="Sum of the shares that were slower, by bar."),
    ] = Field(default_factory=dict)


class ModelState(Observed):
    """What the operator must remember of a Model; only the operator reads it."""

    schema_version: Annotated[Literal[1], Field(description="Version of this block's schema.")] = 1
    source_digest: Annotated[
        str, Field(max_length=71, description="Digest of the source that the spec asks for.")
    ] = ""
    source_generation: Annotated[
        int, Field(ge=0, description="Generation of the spec that brought this source.")
    ] = 0
    retrain: Annotated[
        str, Field(max_length=63, description="The retrain annotation, as far as it is heeded.")
    ] = ""
    request: Annotated[
        int, Field(ge=0, description="Number of requests so far: changed sources and retrainings.")
    ] = 0
    served_request: Annotated[
        int, Field(ge=0, description="Newest request whose version has been champion.")
    ] = 0
    design_digest: Annotated[
        str, Field(max_length=71, description="Digest of the source and the rollout's Experiment template.")
    ] = ""
    design_generation: Annotated[
        int, Field(ge=0, description="Generation of the spec that brought this design.")
    ] = 0
    experiment: Annotated[
        str,
        Field(max_length=63, description="The Experiment that was made last; made once, even if deleted."),
    ] = ""
    latest: Annotated[int, Field(ge=0, description="Number of the newest version.")] = 0
    order: Annotated[OrderResult | None, Field(description="The last order of a person, and its result.")] = (
        None
    )
    former_level: Annotated[
        FormerLevel | None,
        Field(
            description="Level against which the present champion is watched; frozen when it is read first."
        ),
    ] = None
    handled_orders: Annotated[
        tuple[Annotated[str, Field(max_length=512)], ...],
        Field(max_length=2, description="Orders that are carried out or refused, one of each kind."),
    ] = ()


class ModelStatus(Observed):
    """What the operator found and did; never an instruction."""

    observed_generation: Annotated[
        int, Field(ge=0, description="Generation of the spec that this status is about.")
    ] = 0
    champion: Annotated[str, Field(max_length=63, description="ModelVersion that serves.")] = ""
    candidate: Annotated[str, Field(max_length=63, description="ModelVersion challenging the champion.")] = ""
    endpoint: Annotated[str, Field(max_length=256, description="URL for callers inside the cluster.")] = ""
    replicas: Annotated[int, Field(ge=0, description="Ready pods of the champion.")] = 0
    selector: Annotated[
        str, Field(max_length=256, description="Label selector of the champion's pods, for autoscalers.")
    ] = ""
    history: Annotated[
        tuple[ChampionRecord, ...], Field(max_length=20, description="Champions, newest first.")
    ] = ()
    alerts: Annotated[
        tuple[Alert, ...],
        Field(
            max_length=32, description="Drift alerts that fire.", json_schema_extra=keyed_by("fingerprint")
        ),
    ] = ()
    state: Annotated[ModelState, Field(description="What the operator must remember.")] = ModelState()
    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            description="Ready, Progressing, Reconciling, Stalled, Degraded, DriftDetected.",
            json_schema_extra=keyed_by("type"),
        ),
    ] = ()
