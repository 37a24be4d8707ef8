"""What the operator would do next with a Model, by the operator's own plan; nothing is done.

It goes as far as the operator would by itself: until pods, a training, counts or a person are waited for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from assay_api import Condition, Experiment, Model, Ref
from assay_api.names import MODEL as MODEL_LABEL
from assay_api.names import OPERATOR
from assay_operator.decide.difference import says
from assay_operator.gateway import Programmed
from assay_operator.kinds import BY_NAME, WATCHED, ApiType
from assay_operator.kube.ownership import relation
from assay_operator.kube.parsing import parsed
from assay_operator.kube.snapshot import snapshot
from assay_operator.kube.store import model_of
from assay_operator.manifests.platform import Platform
from assay_operator.plan.actions import Child, Plan, Resource, Status
from assay_operator.plan.model import plan
from assay_operator.plan.world import Facts, Key, Obstacle, World

Body = Mapping[str, Any]
Written = Mapping[tuple[Key, str], Body]
ROUNDS = 16  # of planning; a Model settles in less
TAKEN = 30.0  # seconds after which a name that is taken is tried again at the latest
_NEW = "not made yet"  # the uid of what would be
_ROUTED = Programmed(done=True, gateways=1, message="assumed: the gateways follow")


@dataclass(frozen=True)
class Listing:
    """A kind to list, and the label that those of the Model carry; empty: all of the namespace."""

    api_version: str
    kind: str
    plural: str
    selector: str


@dataclass(frozen=True)
class Shown:
    """The conditions that a status would get."""

    kind: str
    name: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Preview:
    """What would be done.

    Attributes:
        creations: Versions and Experiments that would be made.
        applied: Objects that would be made.
        changed: Objects that are there and would be written anew, because of what the file changes.
        removed: Objects that would be deleted.
        before: Who is champion.
        champion: Who would be champion; empty if nobody.
        statuses: Conditions of the statuses that would be written.
        again: Seconds until the operator looks again by itself; None if it waits for news.
        running: Undecided Experiments that run then; their numbers were not read.
    """

    creations: tuple[Body, ...]
    applied: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    before: str
    champion: str
    statuses: tuple[Shown, ...]
    again: float | None
    running: tuple[str, ...]


def listings(model: str) -> tuple[Listing, ...]:
    """Return what has to be listed to know a Model's world."""
    label = f"{MODEL_LABEL}={model}"
    return tuple(Listing(k.api_version, k.kind, k.plural, label if k.label else "") for k in WATCHED)


def preview(wanted: Model, bodies: Iterable[Body], taken: Iterable[Body], now: datetime) -> Preview:
    """Plan a Model as it is wanted, in the world as it is.

    Args:
        wanted: The Model; its metadata and status are those of the live one, if there is one.
        bodies: Everything that `listings` asked for.
        taken: Other objects of the namespace that have names which the Model's own would have.
        now: The moment.

    Raises:
        ValueError: An object of the Model cannot be read, or the Model cannot be planned.
    """
    live = _world(wanted.metadata.ref, bodies, _platform(wanted), now)
    if live.snapshot.unreadable:
        faults = (f"{key.kind} {key.name}: {why}" for key, why in live.snapshot.unreadable.items())
        raise ValueError("; ".join(faults))
    before = _written(plan(live)) if live.model else {}
    world = replace(live, facts=replace(live.facts, obstacles=dict(_obstacles(wanted, taken))))
    return _preview(live, *_settled(_having(world, wanted)), before)


def names(wanted: Model, bodies: Iterable[Body], now: datetime) -> tuple[tuple[Listing, str], ...]:
    """Return which objects would be made that are in no listing: somebody else may have their names."""
    live = _world(wanted.metadata.ref, bodies, _platform(wanted), now)
    _, plans = _settled(_having(live, wanted))
    keys = dict.fromkeys(_key(child) for one in plans for child in (*one.creations, *one.children))
    kinds = {kind: BY_NAME[kind] for kind, _ in keys}
    return tuple(
        (Listing(kinds[key.kind].api_version, key.kind, kinds[key.kind].plural, ""), key.name)
        for key in keys
        if key not in live.snapshot.objects and kinds[key.kind].watched
    )


def _world(ref: Ref, bodies: Iterable[Body], platform: Platform, now: datetime) -> World:
    mine = {Key(b["kind"], b["metadata"]["name"]): b for b in bodies if model_of(b) == ref}
    read = {
        key: parsed(kind, body) for key, body in mine.items() if (kind := BY_NAME[key.kind].type) is not None
    }
    values = [one.value for one in read.values() if one.value is not None]
    faults = {key: one.fault for key, one in read.items() if one.fault}
    return World(snapshot(ref, mine, values, faults), Facts(programmed=_ROUTED), platform, now)


def _platform(wanted: Model) -> Platform:
    """Return the chart's defaults; what the file names is taken as allowed."""
    spec = wanted.spec
    source = spec.training or spec.evaluation
    predictors, trainers = spec.serving.service_account_name, source and source.worker.service_account_name
    return Platform(
        predictor_image="",
        trainer_image="",
        predictor_service_accounts=(predictors,) if predictors else (),
        trainer_service_accounts=(trainers,) if trainers else (),
    )


def _having(world: World, wanted: Model) -> World:
    return replace(world, snapshot=replace(world.snapshot, model=wanted))


def _settled(world: World) -> tuple[World, tuple[Plan, ...]]:
    """Plan again and again, as the operator does, until it waits for something that only the world can do."""
    plans: list[Plan] = []
    for _ in range(ROUNDS):
        plans.append(plan(world))
        after = _after(world, plans[-1])
        if after == world:
            break
        world = after
    return world, tuple(plans)


def _after(world: World, planned: Plan) -> World:
    """Return the world as it would be with a plan carried out; no pod starts or ends meanwhile."""
    known = world.snapshot
    gone = {Key(one.kind, one.ref.name) for one in planned.removals}
    objects = {key: body for key, body in known.objects.items() if key not in gone}
    for child in planned.children:
        if (key := _key(child)) not in world.facts.obstacles and BY_NAME[key.kind].watched:
            objects[key] = _merged(objects.get(key) or _born(child.manifest, world.now), child.manifest)
    born = [_born(child.manifest, world.now) for child in planned.creations]
    objects |= {Key(body["kind"], body["metadata"]["name"]): body for body in born}
    written = {one.resource.metadata.uid: one.status for one in planned.statuses}
    kept = [one for one in _resources(world) if Key(type(one).__name__, one.metadata.name) not in gone]
    values = [_having_status(one, written.get(one.metadata.uid)) for one in kept]
    values += [value for body in born if (value := parsed(_type(body), body).value)]
    return replace(world, snapshot=snapshot(world.ref, objects, values))


def _resources(world: World) -> Iterator[Resource]:
    if world.model:
        yield world.model
    yield from world.versions
    yield from world.experiments


def _having_status(one: Resource, status: Status | None) -> Resource:
    return one.changed(status=status) if status else one


def _type(body: Body) -> ApiType:
    kind = BY_NAME[body["kind"]].type
    assert kind is not None
    return kind


def _born(manifest: Body, now: datetime) -> Body:
    name = manifest["metadata"]["name"]
    new = {"uid": f"{_NEW}: {name}", "creationTimestamp": now.isoformat(timespec="seconds")}
    return {**manifest, "metadata": {**manifest["metadata"], **new}}


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}


def _obstacles(wanted: Model, taken: Iterable[Body]) -> Iterator[tuple[Key, Obstacle]]:
    for body in taken:
        if relation(body, wanted.metadata.uid, wanted.metadata.name) == "Foreign":
            key = Key(body["kind"], body["metadata"]["name"])
            yield key, Obstacle("NameTaken", f"{key.kind} {key.name} exists and is not ours")


def _preview(live: World, world: World, plans: tuple[Plan, ...], before: Written) -> Preview:
    there, then = live.snapshot.objects, world.snapshot.objects
    children = [c for one in plans for c in one.children if _key(c) in then]
    new = [c for c in children if _key(c) not in there]
    changed = [c for c in children if _key(c) in there and not _same(c, there[_key(c)], before)]
    old = {one.metadata.uid: one.status for one in _resources(live)}
    news = [one for one in _resources(world) if one.status != old.get(one.metadata.uid)]
    return Preview(
        creations=tuple(child.manifest for one in plans for child in one.creations),
        applied=tuple(dict.fromkeys(f"{key.kind} {key.name}" for key in map(_key, new))),
        changed=tuple(dict.fromkeys(map(_words, changed))),
        removed=tuple(f"{key.kind} {key.name}" for key in there if key not in then),
        before=live.model.status.champion if live.model else "",
        champion=world.model.status.champion if world.model else "",
        statuses=tuple(map(_shown, news)),
        again=_again(world, plans[-1]),
        running=tuple(one.metadata.name for one in world.experiments if _runs(one)),
    )


def _same(child: Child, live: Body, before: Written) -> bool:
    """Compare with what the live Model asks for; what it does not ask for, with what is there."""
    known = before.get((_key(child), child.manager))
    return says(live, child.manifest) if known is None else known == child.manifest


def _again(world: World, last: Plan) -> float | None:
    return min(last.again or TAKEN, TAKEN) if world.facts.obstacles else last.again


def _written(planned: Plan) -> Written:
    return {(_key(child), child.manager): child.manifest for child in planned.children}


def _key(child: Child) -> Key:
    return Key(child.manifest["kind"], child.manifest["metadata"]["name"])


def _words(child: Child) -> str:
    words = f"{child.manifest['kind']} {child.manifest['metadata']['name']}"
    return words if child.manager == OPERATOR else f"{words}: {child.manifest['spec']['replicas']} pods"


def _shown(one: Resource) -> Shown:
    return Shown(type(one).__name__, one.metadata.name, one.status.conditions)


def _runs(one: Experiment) -> bool:
    return one.status.started_at is not None and one.status.decision is None
