"""Gather: in which world a pass changed nothing. In the same one, the next pass would not either."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from assay_api import Ref
from assay_operator.plan.actions import Plan
from assay_operator.plan.world import World

LONGEST = timedelta(minutes=5)  # objects that nobody watches are written again now and then


@dataclass(frozen=True)
class _Known:
    world: World
    until: datetime | None  # when time alone may change the plan


class SettledWorlds:
    """Remembers one world for each Model. Most passes have no news: an echo, an acknowledgement of others."""

    def __init__(self) -> None:
        """Know none."""
        self._known: dict[Ref, _Known] = {}

    def holds(self, world: World) -> bool:
        """Tell whether a pass in this world is known to change nothing."""
        known = self._known.get(world.ref)
        if known is None:
            return False
        before = known.world
        due = known.until is not None and world.now >= known.until
        fresh = before.now <= world.now < before.now + LONGEST
        same = world.snapshot is before.snapshot and world.platform == before.platform
        return same and fresh and not due and world.facts == before.facts

    def left(self, world: World) -> float | None:
        """Return in how many seconds time alone may change the plan; None if it cannot."""
        until = self._known[world.ref].until
        return (until - world.now).total_seconds() if until else None

    def note(self, world: World, plan: Plan, *, quiet: bool) -> None:
        """Note how a pass went.

        Args:
            world: What was gathered for it.
            plan: What was carried out.
            quiet: Whether the executor found everything as it shall be.
        """
        if quiet and not (_acts(plan) or world.facts.obstacles or world.facts.undefined):
            until = world.now + timedelta(seconds=plan.again) if plan.again is not None else None
            self._known[world.ref] = _Known(world, until)
        else:
            self.forget(world.ref)

    def forget(self, ref: Ref) -> None:
        """Keep nothing of a Model that is gone."""
        self._known.pop(ref, None)


def _acts(plan: Plan) -> bool:
    """Whether a plan consists of more than what shall be, and is, so."""
    return bool(
        plan.creations
        or plan.finalizers
        or plan.definitions
        or plan.removals
        or plan.statuses
        or plan.events
        or plan.keep_route
    )
