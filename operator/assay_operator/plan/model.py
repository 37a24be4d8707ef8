"""plan(World) -> Plan: everything that shall be of one Model. Pure: the same world gives the same plan."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.condition import find
from assay_api.model import ModelState
from assay_api.names import ABORT, FINALIZER, experiment_name
from assay_api.reason import Reason
from assay_operator.decide.bake import former_level
from assay_operator.decide.champion import (
    DOWN_GRACE,
    Successor,
    bake_ends_in,
    baking_after,
    fulfilled,
    handled_orders,
    open_order,
    order_result,
    recorded,
    successor,
)
from assay_operator.decide.experiment_conditions import is_material
from assay_operator.decide.model_conditions import ModelFacts, conditions
from assay_operator.decide.rollout import (
    RolloutFacts,
    awaited,
    expendable,
    experiment_to_make,
    made_by_model,
    made_from,
    named_in_template,
    newest_made,
    next_number,
    superseded,
    warm,
)
from assay_operator.manifests import Manifest
from assay_operator.manifests.endpoint import service, url
from assay_operator.manifests.event import events, happened
from assay_operator.manifests.owned import design_digest, experiment, model_version, source_digest
from assay_operator.manifests.scaling import selector
from assay_operator.plan.actions import (
    Child,
    Finalizer,
    Plan,
    Removal,
    StatusWrite,
)
from assay_operator.plan.conditions import with_conditions
from assay_operator.plan.experiment import Ending, Step, step
from assay_operator.plan.route import route
from assay_operator.plan.version import VersionPlan, VersionPlanner
from assay_operator.plan.world import Key, World

MAX_ALERTS = 32
OF_A_VERSION = {"Deployment", "Service", "Job"}  # without which a version says itself that it cannot be
FINALIZER_PATIENCE = timedelta(seconds=5)  # of a deletion that waits for the gateways: it must never hang


def plan(world: World) -> Plan:
    """Return everything that shall be of a Model."""
    model = world.model
    if model is None or model.metadata.deletion_timestamp:
        return _leaving(world)
    facts = rollout_facts(world, model)
    judged = _judged(world, model, facts)
    facts = replace(facts, versions=judged.versions)
    steps = _steps(judged, facts)
    after = judged.having(s.experiment for s in steps)
    facts = replace(facts, experiments=_present(after.experiments))
    if new := successor(facts):
        facts = _succeeded(facts, new)
        steps = _interrupted(after, steps, new)
        after = judged.having(s.experiment for s in steps)
        facts = replace(facts, experiments=_present(after.experiments))
    return _assembled(world, after, facts, steps)


def _judged(world: World, model: Model, facts: RolloutFacts) -> World:
    """Return the world in which it is known which versions are made: the rest follows in the same pass."""
    name = facts.requested.metadata.name if facts.requested else ""
    waited_for = awaited(facts, name)
    versions = tuple(
        VersionPlanner(
            world, model, one, facts.champion, warm=False, awaited=one.metadata.name in waited_for
        ).judged()
        for one in world.versions
    )
    return replace(world, snapshot=replace(world.snapshot, versions=versions))


def rollout_facts(world: World, model: Model) -> RolloutFacts:
    """Return the part of the world that rollouts are decided by."""
    return RolloutFacts(
        model=model,
        versions=world.versions,
        experiments=_present(world.experiments),
        available=world.available,
        source_digest=source_digest(model.spec.source),
        design_digest=design_digest(model),
        now=world.now,
        bake=world.facts.bake,
    )


def _present(experiments: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
    return tuple(e for e in experiments if not e.metadata.deletion_timestamp)


def _steps(world: World, facts: RolloutFacts) -> tuple[Step, ...]:
    """Take a step with every Experiment, by age; those that ended make room for the next one."""
    steps: list[Step] = []
    for one in world.experiments:
        taken = Step(one) if one.metadata.deletion_timestamp else step(world, one, _ending(facts, one))
        steps.append(taken)
        world = world.having((taken.experiment,))
    return tuple(steps)


def _ending(facts: RolloutFacts, one: Experiment) -> Ending | None:
    """Return who or what asks for the end of an Experiment."""
    if text := one.metadata.annotations.get(ABORT):
        return Ending(Reason.ABORTED, f"annotation {ABORT}: {text}"[:1024])
    if one.status.decision:
        return None
    name = facts.requested.metadata.name if facts.requested else ""
    if superseded(one, name):
        words = f"the Model's spec now asks for {name or 'another version'}"
        return Ending(Reason.SUPERSEDED_BY_SPEC, f"superseded: {words}")
    control, champion = one.spec.control.version, facts.champion
    if (one.status.started_at or made_by_model(one)) and champion and control != champion:
        words = f"superseded: the champion is {champion}, and the control is {control}"
        return Ending(Reason.SUPERSEDED_BY_SPEC, words)
    return None


def _succeeded(facts: RolloutFacts, new: Successor) -> RolloutFacts:
    """Return the facts with the new champion."""
    news = {"champion": new.version, "history": recorded(facts, new)}
    status = facts.model.status.changed(**news)
    return replace(facts, model=facts.model.changed(status=status))


def _interrupted(world: World, steps: tuple[Step, ...], new: Successor) -> tuple[Step, ...]:
    """A champion that no running Experiment chose ends those whose control it is not."""
    ended = []
    for taken in steps:
        one = taken.experiment
        running = one.status.started_at and not one.status.decision and not one.metadata.deletion_timestamp
        if running and one.spec.control.version != new.version:
            words = f"superseded: {new.version} is champion: {new.message}"
            taken = step(world, one, Ending(Reason.SUPERSEDED_BY_SPEC, words))  # noqa: PLW2901
        ended.append(taken)
    return tuple(ended)


def _leaving(world: World) -> Plan:
    """Take the route away; the rest is Kubernetes' work. Experiments without a Model say so."""
    steps: tuple[Step, ...] = ()
    if world.model is None:
        gone = Ending(Reason.MODEL_DELETED, "the Model was deleted")
        steps = tuple(
            step(world, one, gone if one.status.started_at else None) for one in _present(world.experiments)
        )
    writes = _experiment_writes(world, steps)
    return Plan(
        definitions=tuple(s.definition for s in steps if s.definition),
        finalizers=_finalizers(world),
        route=None,
        statuses=writes,
        events=_events(world, writes),
        again=min((s.again for s in steps if s.again is not None), default=None),
    )


@dataclass(frozen=True)
class _Parts:
    """What belongs to the Model itself."""

    champion: str
    warm: frozenset[str]
    awaited: frozenset[str]
    creations: tuple[Child, ...]


def _assembled(before: World, world: World, facts: RolloutFacts, steps: tuple[Step, ...]) -> Plan:
    before_model = before.model
    assert before_model is not None
    parts = _parts(world, facts)
    versions = _version_plans(before, facts.model, parts)
    statuses = (
        *_experiment_writes(before, steps),
        *(StatusWrite(v, one.status) for v, one in versions if v.status != one.status),
        *_model_write(before, world, facts, parts, versions),
    )
    return Plan(
        creations=parts.creations,
        finalizers=_finalizers(world),
        definitions=tuple(s.definition for s in steps if s.definition),
        route=route(world, facts.model, parts.champion),
        children=(*_endpoint(world, facts.model), *(c for _, one in versions for c in one.children)),
        removals=(*(r for _, one in versions for r in one.removals), *_history(facts, parts)),
        statuses=statuses,
        events=(*_events(before, statuses), *_champion_event(before_model, facts, world.now)),
        again=_again(world, facts, steps, versions),
    )


def _parts(world: World, facts: RolloutFacts) -> _Parts:
    order = open_order(facts)
    name = facts.requested.metadata.name if facts.requested else ""
    champion = facts.champion
    return _Parts(
        champion=champion,
        warm=warm(facts, champion, facts.history, order.version if order else ""),
        awaited=awaited(facts, name),
        creations=_creations(world, facts),
    )


def _creations(world: World, facts: RolloutFacts) -> tuple[Child, ...]:
    """The version that the spec asks for, and the Experiment that it must win."""
    model, made = facts.model, []
    if facts.requested is None:
        again = made_from(facts.versions, facts.source_digest) is not None
        made.append(model_version(model, next_number(facts), again=again))
    if name := experiment_to_make(facts, facts.champion):
        assert facts.requested is not None
        made.append(experiment(model, facts.champion, facts.requested.metadata.name, name))
    taken = world.facts.obstacles
    return tuple(
        Child(body, model.metadata.uid)
        for body in made
        if Key(body["kind"], body["metadata"]["name"]) not in taken
    )


_Planned = tuple[ModelVersion, VersionPlan]


def _version_plans(world: World, model: Model, parts: _Parts) -> tuple[_Planned, ...]:
    present = [v for v in world.versions if not v.metadata.deletion_timestamp]
    return tuple((version, _version_plan(world, model, parts, version)) for version in present)


def _version_plan(world: World, model: Model, parts: _Parts, version: ModelVersion) -> VersionPlan:
    return VersionPlanner(
        world=world,
        model=model,
        version=version,
        champion=parts.champion,
        warm=version.metadata.name in parts.warm,
        awaited=version.metadata.name in parts.awaited,
    )()


def _endpoint(world: World, model: Model) -> tuple[Child, ...]:
    return (Child(service(model, world.platform), model.metadata.uid),)


def _history(facts: RolloutFacts, parts: _Parts) -> tuple[Removal, ...]:
    """What the history need not keep."""
    needed = parts.warm | parts.awaited | {facts.champion} | named_in_template(facts)
    versions, experiments = expendable(facts, needed)
    return tuple(
        Removal(kind, Ref(*one.metadata.ref), one.metadata.uid)
        for kind, things in (("ModelVersion", versions), ("Experiment", experiments))
        for one in things
    )


def _model_write(
    before: World,
    world: World,
    facts: RolloutFacts,
    parts: _Parts,
    versions: tuple[_Planned, ...],
) -> tuple[StatusWrite, ...]:
    model = before.model
    assert model is not None
    judged = tuple(v.changed(status=one.status) for v, one in versions)
    facts = replace(facts, versions=judged)
    desired = conditions(_model_facts(world, facts))
    generation = model.metadata.generation
    requested = facts.requested.metadata.name if facts.requested else ""
    status = facts.model.status.changed(
        observed_generation=generation,
        candidate=requested if requested != parts.champion else "",
        endpoint=url(model),
        replicas=len(world.snapshot.backends.get(parts.champion, ())),
        selector=selector(parts.champion) if parts.champion else "",
        alerts=world.alerts[-MAX_ALERTS:],
        state=_state(facts, parts),
        conditions=with_conditions(model.status.conditions, desired, generation, world.now),
    )
    return (StatusWrite(model, status),) if status != model.status else ()


def _state(facts: RolloutFacts, parts: _Parts) -> ModelState:
    made = {body.manifest["kind"]: body.manifest for body in parts.creations}
    numbers = [v.spec.number for v in facts.versions]
    new = made["ModelVersion"]["spec"]["number"] if "ModelVersion" in made else 0
    order = order_result(facts, parts.champion)
    return facts.state.changed(
        served_request=fulfilled(facts, parts.champion),
        experiment=newest_made(facts),
        latest=max([new, facts.state.latest, *numbers]),
        order=order,
        former_level=former_level(facts.model, facts.bake, facts.now),
        handled_orders=handled_orders(facts, order),
    )


def _model_facts(world: World, facts: RolloutFacts) -> ModelFacts:
    running = world.active
    return ModelFacts(
        rollout=facts,
        programmed=_programmed(world, facts.model),
        refused=world.facts.programmed.nack is not None,
        route_message=world.facts.programmed.message,
        obstacle=_obstacle(world, facts),
        alerts=world.alerts,
        design_changed=running is not None and _edited(facts, running),
    )


def _programmed(world: World, model: Model) -> bool:
    """Whether callers are served by the route: a change that is on its way serves them by the one before."""
    now = world.facts.programmed
    known = find(model.status.conditions, "Ready")
    before = known is not None and known.status == "True"
    return now.done or (before and now.nack is None and (now.gateways > 0 or now.expected))


def _obstacle(world: World, facts: RolloutFacts) -> tuple[Reason, str] | None:
    """What keeps an object from being: a name that is taken, or a refusal of what no version tells of."""
    found = world.facts.obstacles
    taken = [o for o in found.values() if o.reason == Reason.NAME_TAKEN]
    if taken:
        return Reason.NAME_TAKEN, taken[0].message
    for key, obstacle in found.items():
        if key == Key("Service", facts.model.metadata.name) or key.kind not in OF_A_VERSION:
            return Reason(obstacle.reason), obstacle.message
    return None


def _edited(facts: RolloutFacts, running: Experiment) -> bool:
    """Whether the template is not the one any more from which the running Experiment was made."""
    design = experiment_name("", facts.state.design_generation)
    return running.metadata.name == facts.state.experiment and design not in running.metadata.name


def _experiment_writes(before: World, steps: tuple[Step, ...]) -> tuple[StatusWrite, ...]:
    known = {e.metadata.uid: e for e in before.experiments}
    pairs = [(known[s.experiment.metadata.uid], s.experiment.status) for s in steps]
    return tuple(
        StatusWrite(one, status, minor=not is_material(one.status, status))
        for one, status in pairs
        if one.status != status
    )


def _finalizers(world: World) -> tuple[Finalizer, ...]:
    """An undecided Experiment is not gone before its units are back with the champion."""
    found = []
    for one in world.experiments:
        has, leaving = FINALIZER in one.metadata.finalizers, one.metadata.deletion_timestamp
        if leaving and has:
            waited = world.now - datetime.fromisoformat(leaving)
            found.append(Finalizer(one, present=False, at_once=waited >= FINALIZER_PATIENCE))
        elif not leaving and not has and not one.status.decision:
            found.append(Finalizer(one, present=True))
    return tuple(found)


def _events(world: World, writes: tuple[StatusWrite, ...]) -> tuple[Manifest, ...]:
    """One Event for each transition, and again for a verdict whose first telling may have been lost."""
    found = [
        event
        for write in writes
        for event in events(
            write.resource, write.resource.status.conditions, write.status.conditions, world.now
        )
    ]
    for one in world.experiments:
        ready = find(one.status.conditions, "Ready")
        if one.status.decision and ready and find(one.status.conditions, "Closed") is None:
            found += events(one, (), (ready,), world.now)
    return tuple({event["metadata"]["name"]: event for event in found}.values())


def _champion_event(model: Model, facts: RolloutFacts, now: datetime) -> tuple[Manifest, ...]:
    if not facts.history or facts.champion == model.status.champion:
        return ()
    words = f"{facts.champion} is champion: {facts.history[0].reason}"
    return (happened(model, Reason.CHAMPION_CHANGED, words, now),)


def _again(
    world: World, facts: RolloutFacts, steps: tuple[Step, ...], versions: tuple[_Planned, ...]
) -> float | None:
    """Return in how many seconds time alone may change the plan."""
    wishes = [s.again for s in steps] + [one.again for _, one in versions]
    ends = zip(facts.history[1:], facts.history[:-1], strict=True)
    wishes += [_left(new.since + facts.rollback_window - world.now) for _, new in ends]
    wishes.append(_left(bake_ends_in(facts)))
    if any(e.metadata.deletion_timestamp for e in world.experiments):
        wishes.append(FINALIZER_PATIENCE.total_seconds())
    if baking_after(facts) and facts.champion not in world.available:
        wishes.append(DOWN_GRACE)
    return min((w for w in wishes if w is not None), default=None)


def _left(time: timedelta | None) -> float | None:
    seconds = time.total_seconds() if time else 0.0
    return seconds + 0.001 if seconds > 0 else None
