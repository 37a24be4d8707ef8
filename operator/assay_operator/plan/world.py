"""The world around one Model at one moment, gathered beforehand and frozen: all that `plan` may look at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.model import Alert
from assay_operator.decide.bake import NOT_READ, BakeReading
from assay_operator.decide.layer import Holding
from assay_operator.decide.schema import Schema
from assay_operator.decide.start import StartBlocker, active_experiment
from assay_operator.decide.summary import Reading, Sample
from assay_operator.decide.workload import DeploymentState, JobState, PodState
from assay_operator.gateway import Endpoint, Programmed
from assay_operator.manifests.platform import Platform

Body = Mapping[str, Any]
NOT_PUBLISHED = Programmed(done=False, gateways=0, message="the route is not published yet")


class Key(NamedTuple):
    """An object of the Model's namespace."""

    kind: str
    name: str


class Obstacle(NamedTuple):
    """Why an object that shall be is not: its name is taken, or the API server refused it.

    Attributes:
        reason: `NameTaken` or `ChildRefused`.
        message: Kind and name, and the API server's words.
    """

    reason: str
    message: str


@dataclass(frozen=True)
class Snapshot:
    """What the API server holds of one Model, as cached.

    Attributes:
        model: The Model; None if there is none, or it cannot be read at all.
        versions: By number.
        experiments: By age.
        objects: Every cached body, our own kinds included.
        unreadable: Objects whose body does not parse as it is, and why; what is here of them was salvaged.
        jobs: By version.
        trainers: Pods of training Jobs, by version.
        predictors: Pods that serve, by version.
        deployments: By version.
        backends: Endpoints that are ready, by version.
        standby: The same, and those that are not ready just now.
    """

    ref: Ref
    model: Model | None = None
    versions: tuple[ModelVersion, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    objects: Mapping[Key, Body] = field(default_factory=dict)
    unreadable: Mapping[Key, str] = field(default_factory=dict)
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    trainers: Mapping[str, tuple[PodState, ...]] = field(default_factory=dict)
    predictors: Mapping[str, tuple[PodState, ...]] = field(default_factory=dict)
    deployments: Mapping[str, DeploymentState] = field(default_factory=dict)
    backends: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    standby: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """What others than the API server know, as their background readers last heard it.

    Attributes:
        programmed: Whether the route published last is in force.
        readings: Of the collector, by the Experiment's uid.
        samples: Of metrics with a source of their own, by the Experiment's uid and the metric's name.
        bake: Of the collector, about a new champion that is watched.
        studies: How far a version's training is, by version.
        schemas: What versions take that are about to meet, as far as their pods tell, by version.
        places: Slots that are reserved for an Experiment in its layer, or why there are none, by uid.
        undefined: Why the collector could not take an Experiment's definition in this pass, by uid.
        obstacles: Children that shall be and are not.
        alerts: Alerts that arrived and are in no status yet: firing ones, and None for resolved ones, by
            fingerprint.
        predictor_token: The token of the namespace's predictors; empty if there is none.
    """

    programmed: Programmed = NOT_PUBLISHED
    readings: Mapping[str, Reading] = field(default_factory=dict)
    samples: Mapping[str, Mapping[str, Sample]] = field(default_factory=dict)
    bake: BakeReading = NOT_READ
    studies: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    places: Mapping[str, Holding | StartBlocker] = field(default_factory=dict)
    undefined: Mapping[str, str] = field(default_factory=dict)
    obstacles: Mapping[Key, Obstacle] = field(default_factory=dict)
    alerts: Mapping[str, Alert | None] = field(default_factory=dict)
    predictor_token: str = ""


@dataclass(frozen=True)
class World:
    """A Model, all that belongs to it, the facts about it, and the moment."""

    snapshot: Snapshot
    facts: Facts
    platform: Platform
    now: datetime

    @property
    def ref(self) -> Ref:
        """The Model's namespace and name."""
        return self.snapshot.ref

    @property
    def model(self) -> Model | None:
        """The Model."""
        return self.snapshot.model

    @property
    def versions(self) -> tuple[ModelVersion, ...]:
        """Its versions, by number."""
        return self.snapshot.versions

    @property
    def experiments(self) -> tuple[Experiment, ...]:
        """Its Experiments, by age."""
        return self.snapshot.experiments

    @cached_property
    def available(self) -> frozenset[str]:
        """Versions with a ready endpoint."""
        return frozenset(name for name, endpoints in self.snapshot.backends.items() if endpoints)

    @cached_property
    def active(self) -> Experiment | None:
        """The Experiment that runs, or is next."""
        return active_experiment(self.experiments)

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts that fire for the Model: those of its status, and those that just arrived."""
        known = {alert.fingerprint: alert for alert in self.model.status.alerts} if self.model else {}
        for fingerprint, alert in self.facts.alerts.items():
            if alert is None:
                known.pop(fingerprint, None)
            else:
                known.setdefault(fingerprint, alert)
        return tuple(known.values())

    def version(self, name: str) -> ModelVersion | None:
        """Return the version of that name."""
        return next((v for v in self.versions if v.metadata.name == name), None)

    def having(self, experiments: Iterable[Experiment]) -> "World":
        """Return the world with these Experiments in place of those of equal uid."""
        new = {e.metadata.uid: e for e in experiments}
        replaced = tuple(new.get(e.metadata.uid, e) for e in self.experiments)
        return replace(self, snapshot=replace(self.snapshot, experiments=replaced))
