"""The plan of a Model that cannot be read or planned: its last route, its last status, and a condition."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from assay_api import Condition, Experiment, Metadata, Model
from assay_api.condition import find
from assay_api.experiment_status import ExperimentStatus
from assay_api.reason import Reason
from assay_operator.decide.desired_condition import DesiredCondition, progress
from assay_operator.decide.experiment_conditions import invalid
from assay_operator.plan.actions import Plan, StatusWrite
from assay_operator.plan.conditions import with_conditions
from assay_operator.plan.route import route
from assay_operator.plan.world import Body, Key, World


def frozen_plan(world: World, fault: str) -> Plan:
    """Return a plan that changes nothing but, if there is a fault, the conditions of those at fault.

    Args:
        world: The Model's.
        fault: What is wrong, in a sentence; empty: nothing, only the route is wanted.
    """
    model = world.model
    if model is None:
        unreadable = world.snapshot.unreadable
        return Plan(keep_route=bool(unreadable), statuses=tuple(_refusals(world, unreadable)))
    if model.metadata.deletion_timestamp:
        return Plan(route=None)
    writes = (*_refusals(world, world.snapshot.unreadable), *_writes(world, model, fault)) if fault else ()
    try:
        return Plan(route=route(world, model, model.status.champion), statuses=writes)
    except ValueError:  # no route can be made of it: the one before stays
        return Plan(keep_route=True, statuses=writes)


def with_refusals(world: World, planned: Plan) -> Plan:
    """Return the plan in which those Experiments say that they cannot be read of which no step can be taken.

    Nothing of them can be used, or the status is at fault: to write what could be read would lose the rest.
    """
    known = {one.metadata.name for one in world.experiments}
    lost = {
        key: fault
        for key, fault in world.snapshot.unreadable.items()
        if key.name not in known or fault.startswith("status")
    }
    refusals = tuple(_refusals(world, lost))
    refused = {write.resource.metadata.uid for write in refusals}
    others = tuple(write for write in planned.statuses if write.resource.metadata.uid not in refused)
    return replace(planned, statuses=(*refusals, *others))


def _refusals(world: World, unreadable: Mapping[Key, str]) -> Iterator[StatusWrite]:
    """Let each Experiment that cannot be read say so itself, if it is not over; no more of it is touched."""
    for key, fault in unreadable.items():
        body = world.snapshot.objects[key]
        status = body.get("status") or {}
        over = body["metadata"].get("deletionTimestamp") or status.get("decision")
        if key.kind == Experiment.__name__ and not over:
            yield from _refusal(world, body, status, fault)


def _refusal(world: World, body: Body, stored: Mapping[str, Any], fault: str) -> Iterator[StatusWrite]:
    metadata = Metadata.model_validate(body["metadata"])
    known = tuple(_conditions(stored.get("conditions")))
    conditions = with_conditions(known, invalid(fault)[1], metadata.generation, world.now)
    if conditions != known:
        status = ExperimentStatus(observed_generation=metadata.generation, conditions=conditions)
        bare: dict[str, Any] = {"metadata": metadata}
        yield StatusWrite(Experiment.model_construct(**bare), status, stored=stored)


def _conditions(stored: Any) -> Iterator[Condition]:
    """Yield those that can be read."""
    for one in stored if isinstance(stored, list) else ():
        try:
            yield Condition.model_validate(one)
        except ValidationError:
            continue


def _writes(world: World, model: Model, fault: str) -> tuple[StatusWrite, ...]:
    words = (Reason.INVALID_SPEC, fault[:1024])
    desired = [*progress(*words, active=False, stalled=True), DesiredCondition("Degraded", "True", *words)]
    known = find(model.status.conditions, "Ready")
    if known and model.status.champion:  # what served before serves on
        desired.append(DesiredCondition("Ready", known.status, Reason(known.reason), known.message))
    else:
        desired.append(DesiredCondition("Ready", "False", *words))
    generation = model.metadata.generation
    conditions = with_conditions(model.status.conditions, desired, generation, world.now)
    news = {"observed_generation": generation, "conditions": conditions}
    status = model.status.changed(**news)
    return (StatusWrite(model, status),) if status != model.status else ()
