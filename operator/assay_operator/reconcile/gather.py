"""Gather: everything that is known of one Model, as one frozen value. No call here waits for anybody."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.names import ROLE, VERSION_OF, predictor_name, trainer_name
from assay_operator.decide.start import StartBlocker, start_blocker
from assay_operator.decide.summary import Reading, Sample
from assay_operator.gateway import Endpoint
from assay_operator.kinds import BY_NAME, DEPLOYMENT, JOB, POD, SLICE, VERSION, Kind
from assay_operator.kube import Body
from assay_operator.kube.ownership import relation
from assay_operator.kube.parsing import Parsed, parsed, with_spec_of
from assay_operator.kube.parsing import Reading as ParsedBody
from assay_operator.kube.store import Store
from assay_operator.kube.workload import deployment, endpoints, job, pod
from assay_operator.plan.experiment import start_facts
from assay_operator.plan.world import Facts, Key, Snapshot, World
from assay_operator.reconcile.alerts import AlertInbox
from assay_operator.reconcile.layer import LayerReservations
from assay_operator.reconcile.obstacles import Obstacles
from assay_operator.reconcile.platform import PlatformSource
from assay_operator.telemetry import Counts, Question, Sources, Studies
from assay_operator.xds import Gateways

log = logging.getLogger(__name__)
T = TypeVar("T")
Objects = Mapping[Key, Body]


@dataclass(frozen=True)
class Readers:
    """The background readers: each returns what it heard last, at once."""

    counts: Counts
    sources: Sources
    studies: Studies
    gateways: Gateways


class Gatherer:
    """Parses what the store holds, a body that did not change only once, and adds the facts."""

    def __init__(self, store: Store, readers: Readers, platform: PlatformSource) -> None:
        """Take the cache of objects, what others know, and the administrator's choices."""
        self._store = store
        self._readers = readers
        self._platform = platform
        self._parsed: dict[Ref, dict[str, tuple[str, ParsedBody]]] = {}
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
        snapshot = self._snapshot(ref)
        facts = Facts(
            programmed=self._readers.gateways.programmed(ref),
            readings=_readings(snapshot, self._readers.counts),
            samples=_samples(snapshot, self._readers.sources),
            studies=_studies(snapshot, self._readers.studies),
            undefined=undefined,
            obstacles=self.obstacles.of(ref),
            alerts=self.alerts.of(ref),
            predictor_token=self._platform.predictor_token(ref.namespace),
        )
        world = World(snapshot, facts, self._platform.platform, now)
        if places := self._places(world):
            return replace(world, facts=replace(facts, places=places))
        return world

    def forget(self, ref: Ref) -> None:
        """Keep nothing of a Model that is gone."""
        self._parsed.pop(ref, None)
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
        objects = {Key(*key): body for key, body in self._store.objects(ref).items()}
        values, unreadable = self._values(ref, objects)
        model = next((v for v in values if isinstance(v, Model)), None)
        versions = sorted(_owned(values, objects, model), key=lambda v: v.spec.number)
        experiments = sorted((v for v in values if isinstance(v, Experiment)), key=_age)
        return Snapshot(
            ref=ref,
            model=model,
            versions=tuple(versions),
            experiments=tuple(experiments),
            objects=objects,
            unreadable=unreadable,
            jobs=_jobs(objects),
            trainers=_pods(objects, "trainer"),
            predictors=_pods(objects, "predictor"),
            deployments=_by_version(objects, DEPLOYMENT, deployment),
            backends=_backends(objects, ready=True),
            standby=_backends(objects, ready=False),
        )

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


def _owned(values: list[Parsed], objects: Objects, model: Model | None) -> Iterator[ModelVersion]:
    """Yield the Model's own versions; one that somebody else made, or of a former Model, is none."""
    for value in values:
        if not isinstance(value, ModelVersion) or model is None:
            continue
        body = objects[Key(VERSION.kind, value.metadata.name)]
        if relation(body, model.metadata.uid, model.metadata.name) in {"Ours", "Orphan"}:
            yield value


def _age(experiment: Experiment) -> tuple[str, str]:
    return experiment.metadata.creation_timestamp, experiment.metadata.name


def _kind(objects: Objects, kind: Kind) -> Iterator[Body]:
    return (body for key, body in objects.items() if key.kind == kind.kind)


def _version_of(body: Body) -> str:
    return str((body["metadata"].get("labels") or {}).get(VERSION_OF, ""))


def _tolerant(read: Callable[[Body], T], body: Body) -> T | None:
    """Read a body that somebody else may have written; what cannot be read is as good as absent."""
    try:
        return read(body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        log.warning("%s %s/%s is odd: %r", body.get("kind"), *_names(body), error)
        return None


def _by_version(objects: Objects, kind: Kind, read: Callable[[Body], T]) -> dict[str, T]:
    found = {_version_of(body): _tolerant(read, body) for body in _kind(objects, kind)}
    return {version: value for version, value in found.items() if version and value is not None}


def _jobs(objects: Objects) -> dict[str, Any]:
    found = _by_version(objects, JOB, job)
    return {version: seen for version, seen in found.items() if seen.name == trainer_name(version)}


def _pods(objects: Objects, role: str) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for body in _kind(objects, POD):
        if (body["metadata"].get("labels") or {}).get(ROLE) == role and (seen := _tolerant(pod, body)):
            found[seen.version] = (*found.get(seen.version, ()), seen)
    return found


def _backends(objects: Objects, *, ready: bool) -> dict[str, tuple[Endpoint, ...]]:
    """Return the endpoints of each version, from the slices that Kubernetes keeps of its Service."""
    found: dict[str, set[Endpoint]] = {}
    for body in _kind(objects, SLICE):
        labels = body["metadata"].get("labels") or {}
        version = labels.get(VERSION_OF, "")
        if version and labels.get("kubernetes.io/service-name") == predictor_name(version):
            addresses = _tolerant(lambda b: list(endpoints(b, ready=ready)), body) or []
            found.setdefault(version, set()).update(Endpoint(*one) for one in addresses)
    return {version: tuple(sorted(known)) for version, known in found.items()}


def _running(snapshot: Snapshot) -> Iterator[Experiment]:
    for one in snapshot.experiments:
        if one.status.started_at and not one.status.decision and not one.metadata.deletion_timestamp:
            yield one


def _readings(snapshot: Snapshot, counts: Counts) -> dict[str, Reading]:
    running = [one for one in _running(snapshot) if one.spec.mode != "Shadow"]
    return {one.metadata.uid: counts.read(one.metadata.uid, snapshot.ref) for one in running}


def _samples(snapshot: Snapshot, sources: Sources) -> dict[str, dict[str, Sample]]:
    """Return what is known of the metrics that the collector does not count."""
    return {one.metadata.uid: _sampled(snapshot.ref, one, sources) for one in _running(snapshot)}


def _sampled(ref: Ref, one: Experiment, sources: Sources) -> dict[str, Sample]:
    arms, began = tuple(arm.name for arm in one.spec.arms), one.status.started_at
    assert began is not None
    who = (ref, one.metadata.name, one.metadata.uid)
    return {
        metric.name: sources.read(Question(*who, metric, arms, began))
        for metric in one.spec.metrics.every
        if metric.query
    }


def _studies(snapshot: Snapshot, studies: Studies) -> dict[str, Mapping[str, object]]:
    """Return how far the trainings are, by their leading workers."""
    return {
        version: studies.read(version, snapshot.ref, snapshot.trainers.get(version, ()))
        for version, seen in snapshot.jobs.items()
        if not seen.finished
    }
