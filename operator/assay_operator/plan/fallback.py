"""The plan of a Model that cannot be read or planned: its last route, its last status, and a condition."""

from assay_api import Model
from assay_api.condition import find
from assay_api.reason import Reason
from assay_operator.decide.claim import Claim, progress
from assay_operator.plan.actions import Plan, StatusWrite
from assay_operator.plan.conditions import with_claims
from assay_operator.plan.route import route
from assay_operator.plan.world import World


def frozen_plan(world: World, fault: str) -> Plan:
    """Return a plan that changes nothing but, if there is a fault, the Model's conditions.

    Args:
        world: The Model's.
        fault: What is wrong, in a sentence; empty: nothing, only the route is wanted.
    """
    model = world.model
    if model is None:
        return Plan(keep_route=bool(world.snapshot.unreadable))
    if model.metadata.deletion_timestamp:
        return Plan(route=None)
    writes = _writes(world, model, fault) if fault else ()
    try:
        return Plan(route=route(world, model, model.status.champion), statuses=writes)
    except ValueError:  # no route can be made of it: the one before stays
        return Plan(keep_route=True, statuses=writes)


def _writes(world: World, model: Model, fault: str) -> tuple[StatusWrite, ...]:
    words = (Reason.INVALID_SPEC, fault[:1024])
    claims = [*progress(*words, active=False, stalled=True), Claim("Degraded", "True", *words)]
    known = find(model.status.conditions, "Ready")
    if known and model.status.champion:  # what served before serves on
        claims.append(Claim("Ready", known.status, Reason(known.reason), known.message))
    else:
        claims.append(Claim("Ready", "False", *words))
    generation = model.metadata.generation
    conditions = with_claims(model.status.conditions, claims, generation, world.now)
    news = {"observed_generation": generation, "conditions": conditions}
    status = model.status.model_copy(update=news)
    return (StatusWrite(model, status),) if status != model.status else ()
