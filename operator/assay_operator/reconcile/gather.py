"""Gather: everything that is known of one Model, as one frozen value. No call here waits for anybody."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from assay_api import Experiment, Ref
from assay_operator.decide.bake import NOT_READ, BakeReading, measured
from assay_operator.decide.schema import Schema
from assay_operator.decide.start import StartBlocker, start_blocker
from assay_operator.decide.summary import Reading, Sample
from assay_operator.kinds import BY_NAME, Kind
from assay_operator.kube import Body
from assay_operator.kube.parsing import Parsed, parsed, with_spec_of
from assay_operator.kube.parsing import Reading as ParsedBody
from assay_operator.kube.snapshot import snapshot
from assay_operator.kube.store import Store
from assay_operator.plan.experiment import start_facts
from assay_operator.plan.world import Facts, Key, Snapshot, World
from assay_operator.reconcile.alerts import AlertInbox
from assay_operator.reconcile.layer import LayerReservations
from assay_operator.reconcile.obstacles import Obstacles
from assay_operator.reconcile.platform import PlatformSource
from assay_operator.telemetry import Bakes, Counts, Question, Schemas, Sources, Studies
from assay_operator.telemetry.schemas import NoSchemas
from assay_operator.xds import Gateways

log = logging.getLogger(__name__)
Objects = Mapping[Key, Body]


@dataclass(frozen=True)
class Readers:
    """The background readers: each returns what it heard last, at once."""

    counts: Counts
    bakes: Bakes
    sources: Sources
    studies: Studies
    gateways: Gateways
    schemas: Schemas = field(default_factory=NoSchemas)


class Gatherer:
    """Parses what the store holds, a body that did not change only once, and adds the facts."""

    def __init__(self, store: Store, readers: Readers, platform: PlatformSource) -> None:
        """Take the cache of objects, what others know, and the administrator's choices."""
        self._store = store
        self._readers = readers
        self._platform = platform
        self._parsed: dict[Ref, dict[str, tuple[str, ParsedBody]]] = {}
        self._snapshots: dict[Ref, Snapshot] = {}
        self.layers = LayerReservations(store)
        self.obstacles = Obstacles()
        self.alerts = AlertInbox()

    def __call__(self, ref: Ref, now: datetime, undefined: Mapping[str, str]) -> World:
        """Return the world of a Model, which may itself be missing.

        Args:
            ref: The Model.
            now: The moment of this pass.
            undefined: Experiments whose definition the collector could not take in this pass, and why.
        """
        known = self._snapshot(ref)
        facts = Facts(
            programmed=self._readers.gateways.programmed(ref),
            readings=_readings(known, self._readers.counts),
            samples=_samples(known, self._readers.sources),
            bake=_bake(known, self._readers.bakes, now),
            studies=_studies(known, self._readers.studies),
            schemas=_schemas(known, self._readers.schemas),
            undefined=undefined,
            obstacles=self.obstacles.of(ref),
            alerts=self.alerts.of(ref),
            predictor_token=self._platform.predictor_token(ref.namespace),
        )
        world = World(known, facts, self._platform.platform, now)
        if places := self._places(world):
            return replace(world, facts=replace(facts, places=places))
        return world

    def forget(self, ref: Ref) -> None:
        """Keep nothing of a Model that is gone."""
        self._parsed.pop(ref, None)
        self._readers.bakes.forget(ref)
        self._snapshots.pop(ref, None)
        self.obstacles.forget(ref)
        self.alerts.forget(ref)

    def _places(self, world: World) -> dict[str, Any]:
        """Reserve slots of layers for the Experiments that nothing else keeps from starting."""
        found: dict[str, Any] = {}
        for one in world.experiments:
            if one.spec.layer is None or one.status.started_at or one.status.decision:
                continue
            blocker: StartBlocker | None = start_blocker(start_facts(world, one))
            if blocker:
                self.layers.withdraw(one)
            else:
                found[one.metadata.uid] = self.layers.reserve(one)
        return found

    def _snapshot(self, ref: Ref) -> Snapshot:
        """Return what is cached; the very same value for as long as nothing of the Model changes."""
        objects = self._store.objects(ref)
        known = self._snapshots.get(ref)
        if known is None or known.objects is not objects:
            values, unreadable = self._values(ref, objects)
            known = self._snapshots[ref] = snapshot(ref, objects, values, unreadable)
        if not objects:
            del self._snapshots[ref]
        return known

    def _values(self, ref: Ref, objects: Objects) -> tuple[list[Parsed], dict[Key, str]]:
        known, now, faults = self._parsed.get(ref, {}), {}, {}
        for key, body in objects.items():
            if (kind := BY_NAME[key.kind]).type is None:
                continue
            uid, version = body["metadata"]["uid"], body["metadata"].get("resourceVersion", "")
            old = known.get(uid)
            now[uid] = old if old and old[0] == version else (version, _read(kind, body, old))
            if fault := now[uid][1].fault:
                faults[key] = fault
        self._parsed[ref] = now
        if not objects:
            del self._parsed[ref]
        return [reading.value for _, reading in now.values() if reading.value is not None], faults


def _read(kind: Kind, body: Body, before: tuple[str, ParsedBody] | None) -> ParsedBody:
    """Parse; of what does not parse the last good spec stands, with its fault."""
    assert kind.type is not None
    reading = parsed(kind.type, body)
    if not reading.fault:
        return reading
    log.warning("%s %s/%s: %s", kind.kind, *_names(body), reading.fault)
    good = before[1].value if before else None
    return ParsedBody(with_spec_of(reading.value, good, body), reading.fault)


def _names(body: Body) -> tuple[str, str]:
    return body["metadata"]["namespace"], body["metadata"]["name"]


def _running(snapshot: Snapshot) -> Iterator[Experiment]:
    for one in snapshot.experiments:
        if one.status.started_at and not one.status.decision and not one.metadata.deletion_timestamp:
            yield one


def _schemas(snapshot: Snapshot, schemas: Schemas) -> dict[str, Schema]:
    """Return what the arms of Experiments take that are to start, as far as their pods tell."""
    wanted = {
        arm.version
        for one in snapshot.experiments
        if not (one.status.started_at or one.status.decision or one.spec.mode != "AB")
        for arm in one.spec.arms
    }
    found = {
        version.metadata.name: schemas.read(version.metadata.uid, snapshot.ref, endpoints)
        for version in snapshot.versions
        if version.metadata.name in wanted and (endpoints := snapshot.backends.get(version.metadata.name, ()))
    }
    return {name: schema for name, schema in found.items() if schema is not None}


def _readings(snapshot: Snapshot, counts: Counts) -> dict[str, Reading]:
    running = [one for one in _running(snapshot) if one.spec.mode != "Shadow"]
    return {one.metadata.uid: counts.read(one.metadata.uid, snapshot.ref) for one in running}


def _bake(snapshot: Snapshot, bakes: Bakes, now: datetime) -> BakeReading:
    model = snapshot.model
    watch = measured(model, now) if model and not model.metadata.deletion_timestamp else None
    if watch is None:
        bakes.forget(snapshot.ref)
        return NOT_READ
    return bakes.read(snapshot.ref, watch)


def _samples(snapshot: Snapshot, sources: Sources) -> dict[str, dict[str, Sample]]:
    """Return what is known of the metrics that the collector does not count."""
    return {one.metadata.uid: _sampled(snapshot.ref, one, sources) for one in _running(snapshot)}


def _sampled(ref: Ref, one: Experiment, sources: Sources) -> dict[str, Sample]:
    arms, began = tuple(arm.name for arm in one.spec.arms), one.status.started_at
    assert began is not None
    who, dropped = (ref, one.metadata.name, one.metadata.uid), frozenset(one.status.state.dropped)
    return {
        metric.name: sources.read(Question(*who, metric, arms, began, dropped))
        for metric in one.spec.metrics.every
        if metric.query
    }


def _studies(snapshot: Snapshot, studies: Studies) -> dict[str, Mapping[str, object]]:
    """Return how far the trainings are, by their leading workers."""
    return {
        version: studies.read(version, snapshot.ref, snapshot.trainers.get(version, ()))
        for version, job in snapshot.jobs.items()
        if not job.finished
    }
