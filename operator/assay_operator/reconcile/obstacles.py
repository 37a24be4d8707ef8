"""Gather: children that shall be and are not, as the executor met them; each is tried again after a pause."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from assay_api import Ref
from assay_operator.plan.world import Key, Obstacle

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


@dataclass
class _Met:
    obstacle: Obstacle
    pause: float
    due: float  # monotonic


class Obstacles:
    """Remembers obstacles by Model and object; losing them is harmless, they are met again."""

    def __init__(self) -> None:
        """Have met none."""
        self._met: dict[Ref, dict[Key, _Met]] = {}

    def of(self, ref: Ref) -> Mapping[Key, Obstacle]:
        """Return the obstacles of a Model."""
        return {key: met.obstacle for key, met in self._met.get(ref, {}).items()}

    def is_due(self, ref: Ref, key: Key) -> bool:
        """Tell whether the object may be tried now."""
        met = self._met.get(ref, {}).get(key)
        return met is None or time.monotonic() >= met.due

    def met(self, ref: Ref, key: Key, obstacle: Obstacle) -> bool:
        """Remember an obstacle; tell whether it is news."""
        known = self._met.setdefault(ref, {}).get(key)
        pause = min(known.pause * 2, LONGEST_PAUSE) if known else FIRST_PAUSE
        self._met[ref][key] = _Met(obstacle, pause, time.monotonic() + pause)
        return known is None or known.obstacle != obstacle

    def overcome(self, ref: Ref, key: Key) -> bool:
        """Forget an obstacle; tell whether there was one."""
        known = self._met.get(ref, {})
        gone = known.pop(key, None) is not None
        if not known:
            self._met.pop(ref, None)
        return gone

    def keep_only(self, ref: Ref, wanted: frozenset[Key]) -> bool:
        """Forget obstacles of objects that nobody wants any more; tell whether there were any."""
        gone = [key for key in self._met.get(ref, {}) if key not in wanted]
        return any([self.overcome(ref, key) for key in gone])

    def next_try(self, ref: Ref) -> float | None:
        """Return in how many seconds the next object is due."""
        dues = [met.due for met in self._met.get(ref, {}).values()]
        return max(min(dues) - time.monotonic(), 0.05) if dues else None

    def forget(self, ref: Ref) -> None:
        """Keep nothing of a Model that is gone."""
        self._met.pop(ref, None)
