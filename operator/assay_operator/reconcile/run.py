"""Gather, plan, execute: one pass for a Model and all that belongs to it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from assay_api import Ref
from assay_operator.kinds import EXPERIMENT
from assay_operator.kube import NamespaceTerminating
from assay_operator.plan.actions import Plan
from assay_operator.plan.fallback import frozen_plan, with_refusals
from assay_operator.plan.model import plan
from assay_operator.plan.world import Key, World
from assay_operator.reconcile.execute import ConflictError, Executor
from assay_operator.reconcile.gather import Gatherer
from assay_operator.reconcile.settled import SettledWorlds
from assay_operator.telemetry import gauges, metrics

ROUNDS = 4  # of planning within a pass: a version that was just made gets its children at once
SOON = 0.05  # seconds until an object is looked at again that changed while it was

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reconciler:
    """Gathers, plans and executes; what it keeps between calls may be lost."""

    gather: Gatherer
    executor: Executor
    now: Callable[[], datetime]
    settled: SettledWorlds = field(default_factory=SettledWorlds)

    async def __call__(self, ref: Ref) -> float | None:
        """Make one Model as it shall be, at any time; return in how many seconds to call again."""
        try:
            return await self._pass(ref)
        except NamespaceTerminating:
            return None
        except ConflictError as conflict:
            log.info("%s/%s: %s has changed meanwhile", *ref, conflict)
            return SOON

    async def _pass(self, ref: Ref) -> float | None:
        world = self.gather(ref, self.now(), {})
        if self.settled.holds(world):
            return self.settled.left(world)
        self.settled.forget(ref)  # until this pass has come to its end
        world, planned = await self._prepared(ref, world)
        self.executor.observe(world.experiments)
        soon = await self.executor.run(ref, planned)
        self.settled.note(world, planned, quiet=soon is None)
        self.gather.alerts.written(ref, world.facts.alerts)
        if world.model is None and not world.snapshot.objects:
            self._forget(ref)
            return None
        wishes = (soon, planned.again, self.gather.obstacles.next_try(ref))
        return min((wish for wish in wishes if wish is not None), default=None)

    async def _prepared(self, ref: Ref, world: World) -> tuple[World, Plan]:
        """Plan until nothing has to be made first, and the collector knows what it shall count."""
        now, undefined = world.now, dict[str, str]()
        for again in range(ROUNDS):
            if again:
                world = self.gather(ref, now, undefined)
            planned = planned_or_frozen(world)
            if await self.executor.create(ref, planned.creations):
                continue
            faults = await self.executor.define(d for d in planned.definitions if d.uid not in undefined)
            if not faults:
                break
            undefined |= faults
        return world, planned

    async def route_only(self, ref: Ref) -> None:
        """Publish what the statuses say, before any gateway is served; change nothing."""
        try:
            world = self.gather(ref, self.now(), {})
            planned = frozen_plan(world, "")
        except Exception:
            log.exception("%s/%s has no route yet", *ref)
            return
        if not planned.keep_route:
            await self.executor.gateways.publish(ref, planned.route)

    def _forget(self, ref: Ref) -> None:
        self.gather.forget(ref)
        self.settled.forget(ref)
        self.executor.forget_model(ref)
        gauges.forget_model(ref)


def planned_or_frozen(world: World) -> Plan:
    """Plan; a Model that cannot be read or planned keeps its route and its last status, and says so.

    An Experiment of which enough can be read is held by its own step, and is no matter of the Model's.
    """
    held = {Key(EXPERIMENT.kind, one.metadata.name) for one in world.experiments}
    unreadable = {key: why for key, why in world.snapshot.unreadable.items() if key not in held}
    if unreadable:
        fault = "; ".join(f"{key.kind} {key.name}: {why}" for key, why in unreadable.items())
        return frozen_plan(world, fault)
    try:
        return with_refusals(world, plan(world))
    except Exception as error:
        metrics.errors.labels(type(error).__name__).inc()
        log.exception("%s/%s cannot be planned", *world.ref)
        return frozen_plan(world, f"{type(error).__name__}: {error}")
