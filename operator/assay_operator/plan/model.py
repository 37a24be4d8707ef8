"""plan(World) -> Plan: everything that shall be of one Model. Pure: the same world gives the same plan."""

from dataclasses import dataclass, replace
from datetime import timedelta

from assay_api import Experiment, Model, ModelStatus, Ref
from assay_api.names import ABORT, version_name
from assay_api.reason import Reason
from assay_operator.decide.champion import (
    DOWN_GRACE,
    Successor,
    bake_ends_in,
    baking_after,
    fulfilled,
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
    made_from,
    next_number,
    superseded,
    warm,
)
from assay_operator.manifests.endpoint import endpoint_slice, service, url
from assay_operator.manifests.event import events
from assay_operator.manifests.owned import design_digest, experiment, model_version, source_digest
from assay_operator.manifests.scaling import selector
from assay_operator.plan.actions import (
    Child,
    Finalizer,
    Plan,
    Removal,
    Resource,
    Status,
    StatusWrite,
)
from assay_operator.plan.conditions import with_claims
from assay_operator.plan.experiment import Ending, Step, step
from assay_operator.plan.route import route
from assay_operator.plan.version import VersionPlan, VersionPlanner
from assay_operator.plan.world import Key, World

MAX_ALERTS = 32


def plan(world: World) -> Plan:
    """Return everything that shall be of a Model."""
    model = world.model
    if model is None or model.metadata.deletion_timestamp:
        return _leaving(world)
    steps = _steps(world)
    after = world.having(s.experiment for s in steps)
    facts = rollout_facts(after, model)
    new = successor(facts)
    if new:
        facts = _succeeded(facts, new)
        steps = _interrupted(after, steps, facts, new)
        after = world.having(s.experiment for s in steps)
        facts = replace(facts, experiments=_present(after.experiments))
    return _assembled(after, model, facts, steps)


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
    )


def _present(experiments: tuple[Experiment, ...]) -> tuple[Experiment, ...]:
    return tuple(e for e in experiments if not e.metadata.deletion_timestamp)


def _steps(world: World) -> tuple[Step, ...]:
    """Take a step with every Experiment, by age; those that ended make room for the next one."""
    steps: list[Step] = []
    for one in world.experiments:
        taken = Step(one) if one.metadata.deletion_timestamp else step(world, one, _ending(world, one))
        steps.append(taken)
        world = world.having((taken.experiment,))
    return tuple(steps)


def _ending(world: World, one: Experiment) -> Ending | None:
    """Return who or what asks for the end of an Experiment."""
    if text := one.metadata.annotations.get(ABORT):
        return Ending(Reason.ABORTED, f"annotation {ABORT}: {text}"[:1024])
    model = world.model
    if model is None or one.status.decision:
        return None
    facts = rollout_facts(world, model)
    name = facts.requested.metadata.name if facts.requested else ""
    if superseded(one, name):
        words = f"the Model's spec now asks for {name or 'another version'}"
        return Ending(Reason.SUPERSEDED_BY_SPEC, f"superseded: {words}")
    control, champion = one.spec.control.version, model.status.champion
    if one.status.started_at and champion and control != champion:
        words = f"superseded: the champion is {champion}, and the control is {control}"
        return Ending(Reason.SUPERSEDED_BY_SPEC, words)
    return None


def _succeeded(facts: RolloutFacts, new: Successor) -> RolloutFacts:
    """Return the facts with the new champion."""
    news = {"champion": new.version, "history": recorded(facts, new)}
    status = facts.model.status.model_copy(update=news)
    return replace(facts, model=facts.model.model_copy(update={"status": status}))


def _interrupted(
    world: World, steps: tuple[Step, ...], facts: RolloutFacts, new: Successor
) -> tuple[Step, ...]:
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
    steps: list[Step] = []
    staying = [e for e in world.experiments if not e.metadata.deletion_timestamp]
    if world.model is None:
        for one in staying:
            gone = Ending(Reason.MODEL_DELETED, "the Model was deleted")
            steps.append(step(world, one, gone if one.status.started_at else None))
    return Plan(
        definitions=tuple(s.definition for s in steps if s.definition),
        finalizers=_finalizers(world, tuple(steps)),
        route=None,
        statuses=_experiment_writes(world, tuple(steps)),
        events=_events(world, _experiment_writes(world, tuple(steps))),
        again=min((s.again for s in steps if s.again is not None), default=None),
    )


@dataclass(frozen=True)
class _Parts:
    """What belongs to the Model itself."""

    champion: str
    warm: frozenset[str]
    awaited: frozenset[str]
    creations: tuple[Child, ...]


def _assembled(world: World, model: Model, facts: RolloutFacts, steps: tuple[Step, ...]) -> Plan:
    parts = _parts(world, facts)
    versions = _version_plans(world, facts.model, parts)
    statuses = (
        *_experiment_writes(world, steps),
        *_version_writes(world, versions),
        *_model_write(world, model, facts, parts, versions),
    )
    return Plan(
        creations=parts.creations,
        finalizers=_finalizers(world, steps),
        definitions=tuple(s.definition for s in steps if s.definition),
        route=route(world, facts.model, parts.champion),
        children=(*_endpoint(world, facts.model), *(c for v in versions for c in v.children)),
        removals=(*(r for v in versions for r in v.removals), *_history(facts, parts)),
        statuses=statuses,
        events=_events(world, statuses),
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
    if experiment_to_make(facts, facts.champion):
        assert facts.requested is not None
        candidate = facts.requested.metadata.name
        made.append(experiment(model, facts.champion, candidate, facts.state.design_generation))
    taken = world.facts.obstacles
    return tuple(
        Child(body, model.metadata.uid)
        for body in made
        if Key(body["kind"], body["metadata"]["name"]) not in taken
    )


def _version_plans(world: World, model: Model, parts: _Parts) -> tuple[VersionPlan, ...]:
    return tuple(
        VersionPlanner(
            world=world,
            model=model,
            version=version,
            champion=parts.champion,
            warm=version.metadata.name in parts.warm,
            awaited=version.metadata.name in parts.awaited,
        )()
        for version in world.versions
        if not version.metadata.deletion_timestamp
    )


def _endpoint(world: World, model: Model) -> tuple[Child, ...]:
    uid, port = model.metadata.uid, world.platform.gateway_port
    return (
        Child(service(model), uid),
        Child(endpoint_slice(model, world.facts.gateways, port), uid),
    )


def _history(facts: RolloutFacts, parts: _Parts) -> tuple[Removal, ...]:
    """What the history need not keep."""
    needed = parts.warm | parts.awaited | {facts.champion}
    versions, experiments = expendable(facts, needed)
    return tuple(
        Removal(kind, Ref(*one.metadata.ref), one.metadata.uid)
        for kind, things in (("ModelVersion", versions), ("Experiment", experiments))
        for one in things
    )


def _model_write(
    world: World,
    model: Model,
    facts: RolloutFacts,
    parts: _Parts,
    versions: tuple[VersionPlan, ...],
) -> tuple[StatusWrite, ...]:
    known = {v.metadata.name: v for v in world.versions}
    judged = tuple(
        known[name].model_copy(update={"status": one.status})
        for name, one in zip(known, versions, strict=False)
    )
    facts = replace(facts, versions=judged) if len(judged) == len(world.versions) else facts
    claims = conditions(_model_facts(world, facts))
    generation = model.metadata.generation
    requested = facts.requested.metadata.name if facts.requested else ""
    status = facts.model.status.model_copy(
        update={
            "observed_generation": generation,
            "candidate": requested if requested != parts.champion else "",
            "endpoint": url(model),
            "replicas": len(world.snapshot.backends.get(parts.champion, ())),
            "selector": selector(parts.champion) if parts.champion else "",
            "alerts": world.alerts[-MAX_ALERTS:],
            "state": _state(facts, parts),
            "conditions": with_claims(model.status.conditions, claims, generation, world.now),
        }
    )
    return (StatusWrite(model, status),) if status != model.status else ()


def _state(facts: RolloutFacts, parts: _Parts) -> object:
    made = {body.manifest["kind"]: body.manifest for body in parts.creations}
    numbers = [v.spec.number for v in facts.versions]
    new = made["ModelVersion"]["spec"]["number"] if "ModelVersion" in made else 0
    last = made["Experiment"]["metadata"]["name"] if "Experiment" in made else facts.state.experiment
    return facts.state.model_copy(
        update={
            "served_generation": fulfilled(facts, parts.champion),
            "experiment": last,
            "latest": max([new, facts.state.latest, *numbers]),
            "order": order_result(facts, parts.champion),
        }
    )


def _model_facts(world: World, facts: RolloutFacts) -> ModelFacts:
    programmed = world.facts.programmed
    running = world.active
    return ModelFacts(
        rollout=facts,
        programmed=programmed.done,
        refused=programmed.nack is not None,
        route_message=programmed.message,
        obstacle=_obstacle(world, facts),
        alerts=world.alerts,
        design_changed=running is not None and _edited(facts, running),
    )


def _obstacle(world: World, facts: RolloutFacts) -> tuple[Reason, str] | None:
    """What keeps the Model's own objects from being: its Service, its claim, its next version."""
    name = facts.model.metadata.name
    next_version = version_name(name, next_number(facts))
    mine = {("Service", name), ("ModelVersion", next_version)}
    for key, obstacle in world.facts.obstacles.items():
        own = (key.kind, key.name) in mine or key.kind in {"PersistentVolumeClaim", "Experiment"}
        if own:
            return Reason(obstacle.reason), obstacle.message
    return None


def _edited(facts: RolloutFacts, running: Experiment) -> bool:
    """Whether the template is not the one any more from which the running Experiment was made."""
    mine = running.metadata.name == facts.state.experiment
    return mine and not running.metadata.name.endswith(f"-g{facts.state.design_generation}")


def _experiment_writes(world: World, steps: tuple[Step, ...]) -> tuple[StatusWrite, ...]:
    known = {e.metadata.uid: e for e in world.experiments}
    return tuple(
        StatusWrite(before, one.status, minor=not is_material(before.status, one.status))
        for one in (s.experiment for s in steps)
        if (before := _original(known[one.metadata.uid], world)).status != one.status
    )


def _original(experiment: Experiment, world: World) -> Experiment:
    return world.gathered.get(experiment.metadata.uid, experiment)


def _version_writes(world: World, plans: tuple[VersionPlan, ...]) -> tuple[StatusWrite, ...]:
    present = [v for v in world.versions if not v.metadata.deletion_timestamp]
    return tuple(
        StatusWrite(version, one.status)
        for version, one in zip(present, plans, strict=True)
        if version.status != one.status
    )


def _finalizers(world: World, steps: tuple[Step, ...]) -> tuple[Finalizer, ...]:
    """An undecided Experiment is not gone before its units are back with the champion."""
    from assay_api.names import FINALIZER  # noqa: PLC0415

    found = []
    for one in world.experiments:
        has, leaving = FINALIZER in one.metadata.finalizers, bool(one.metadata.deletion_timestamp)
        if leaving and has and world.facts.programmed.done:
            found.append(Finalizer(one, present=False))
        elif not leaving and not has and not one.status.decision:
            found.append(Finalizer(one, present=True))
    return tuple(found)


def _events(world: World, writes: tuple[StatusWrite, ...]) -> tuple[dict[str, object], ...]:
    return tuple(
        event
        for write in writes
        for event in events(
            write.resource, write.resource.status.conditions, write.status.conditions, world.now
        )
    )


def _again(
    world: World, facts: RolloutFacts, steps: tuple[Step, ...], versions: tuple[VersionPlan, ...]
) -> float | None:
    """Return in how many seconds time alone may change the plan."""
    wishes = [s.again for s in steps] + [v.again for v in versions]
    ends = zip(facts.history[1:], facts.history[:-1], strict=True)
    wishes += [_left(new.since + facts.rollback_window - world.now) for _, new in ends]
    wishes.append(_left(bake_ends_in(facts)))
    if baking_after(facts) and facts.champion not in world.available:
        wishes.append(DOWN_GRACE)
    return min((w for w in wishes if w is not None), default=None)


def _left(time: timedelta | None) -> float | None:
    seconds = time.total_seconds() if time else 0.0
    return seconds + 0.001 if seconds > 0 else None


__all__ = ["Resource", "Status", "plan", "rollout_facts"]
