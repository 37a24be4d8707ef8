"""One transaction of the ledger: units are read once, changed in memory and written at the end.

What a unit adds to the sums of its arm is always `counted` of what is stored for it, and every change is
written with the difference it makes. So in whatever order events come, sums equal a recount.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from assay_collector.experiment import Experiment
from assay_collector.store import schema, sums
from assay_collector.store.experiments import Ref, closed_until, scopes, ticked
from assay_collector.store.plans import unit_from, unit_row
from assay_collector.store.rows import Row, rows_of
from assay_collector.unit import Excluded, Patience, Unit, counted

PATIENCE = Patience()
DAY = 86_400_000_000
FIRST = ("arm", "first_at", "epoch")  # what never changes as long as the first exposure is the same
_REASON = {Excluded.CROSSOVER: "crossover_units", Excluded.BOT: "bot_units"}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the installation decides.

    Attributes:
        hourly: A unit that asks more often than this an hour is a bot and excluded; 0 excludes nobody.
        grace: Microseconds for which an outcome waits for the exposure of its unit.
        retention: Microseconds for which ids of exposures are known, and closed Experiments keep units.
        counts: Microseconds for which counts of profiles are kept.
    """

    patience: Patience = PATIENCE
    hourly: int = 0
    grace: int = DAY
    retention: int = 7 * DAY
    counts: int = 14 * DAY


class Book:
    """The view of one transaction; `flush` writes it down, the caller commits."""

    def __init__(
        self, connection: Connection, policy: Policy, now: int, refs: Collection[Ref], uids: Collection[str]
    ) -> None:
        """Read the Experiments of these Models and uids; other replicas wait for them until the commit."""
        self.connection = connection
        self.rows = rows_of(connection)
        self.policy = policy
        self.now = now
        self.scopes = scopes(connection, refs, uids)
        everything = [e for scope in self.scopes.values() for e in scope.experiments]
        self.by_uid = {experiment.uid: experiment for experiment in everything}
        self.changes: dict[int, sums.Change] = defaultdict(sums.Change)
        self._by_id = {experiment.id: experiment for experiment in everything}
        self._closed = closed_until(connection, self._by_id)
        self._stored: dict[int, dict[bytes, Unit | None]] = defaultdict(dict)
        self._units: dict[int, dict[bytes, Unit]] = defaultdict(dict)

    def load(self, experiment: Experiment, names: Collection[bytes]) -> dict[bytes, Unit]:
        """Return the units of an Experiment by name, these among them if they exist; change it at will."""
        stored, units = self._stored[experiment.id], self._units[experiment.id]
        if missing := [name for name in names if name not in stored]:
            found = {row[1]: unit_from(row) for row in self.rows.find(schema.units, experiment.id, missing)}
            units.update(found)
            stored.update((name, found.get(name)) for name in missing)
        return units

    def flush(self) -> bool:
        """Write units and sums down, and tell whether any Experiment changed."""
        for number, units in self._units.items():
            self._write_units(self._by_id[number], units)
        if not self.changes:
            return False
        revision = ticked(self.connection)
        for number in sorted(self.changes):
            sums.apply(self.connection, number, self.changes[number], self.now, revision)
        return True

    def mismatches(self) -> dict[str, int]:
        """Return how many audits failed, by uid of the Experiment."""
        counts = {self._by_id[number].uid: change.counters for number, change in self.changes.items()}
        return {uid: each["audit_mismatches"] for uid, each in counts.items() if "audit_mismatches" in each}

    def _write_units(self, experiment: Experiment, units: dict[bytes, Unit]) -> None:
        stored = self._stored[experiment.id]
        changed = [(name, unit) for name, unit in units.items() if unit is not stored[name]]
        for name, unit in changed:
            self._difference(experiment, stored[name], unit)
        settled: dict[bool, list[Row]] = {True: [], False: []}
        for name, unit in sorted(changed):  # as they lie on disk: neighbours share a page
            before = stored[name]
            same = before is not None and before.first_at == unit.first_at
            settled[same].append(unit_row(experiment.id, name, unit))
        self.rows.save(schema.units, settled[False])
        self.rows.save(schema.units, settled[True], keep=FIRST)

    def _difference(self, experiment: Experiment, before: Unit | None, after: Unit) -> None:
        change = self.changes[experiment.id]
        was, now = before is not None and not before.excluded, not after.excluded
        if was is not now:
            change.units[after.arm] = change.units.get(after.arm, 0) + now - was
        if after.excluded and (before is None or not before.excluded):
            change.count(_REASON[Excluded(after.excluded)])
        for position, metric in enumerate(experiment.plan.metrics):
            if was and now and before is not None and _same(before, after, position):
                continue
            until = self._closed.get((experiment.id, position), -1)
            old, new = counted(before, position, metric, until), counted(after, position, metric, until)
            if old != new:
                change.replace((after.arm, position), old, new)


def _same(before: Unit, after: Unit, position: int) -> bool:
    return before.marks[position] is after.marks[position] and before.first_at == after.first_at
