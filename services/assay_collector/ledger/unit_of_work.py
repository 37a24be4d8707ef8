"""One transaction of the ledger: histories are read once, changed in memory and written at the end.

What a unit adds to the sums of its arm is always `counted` of what is stored for it, and every change is
taken down with the difference it makes. So in whatever order events come, sums equal a recount.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from assay_collector.attribution.delay import cell
from assay_collector.attribution.experiment import Experiment, Ref
from assay_collector.attribution.history import History
from assay_collector.attribution.unit import Excluded, Outcome, Patience, Unit, counted, delayed, matured
from assay_collector.store import histories, schema, sums
from assay_collector.store.experiments import closed_until, scopes, ticked
from assay_collector.store.rows import Row, rows_of

PATIENCE = Patience()
HOUR = 3_600_000_000
DAY = 24 * HOUR
_REASON = {Excluded.CROSSOVER: "crossover_units", Excluded.BOT: "bot_units"}


@dataclass(frozen=True, slots=True)
class Policy:
    """What the installation decides.

    Attributes:
        hourly: A unit that asks more often than this an hour is a bot and excluded; 0 excludes nobody.
        grace: Microseconds for which an outcome waits for the exposure of its unit.
        retention: Microseconds for which ids of exposures are known, and closed Experiments keep units.
        counts: Microseconds for which counts of profiles are kept.
        answers: Microseconds for which counts of answers are kept.
    """

    patience: Patience = PATIENCE
    hourly: int = 0
    grace: int = DAY
    retention: int = 7 * DAY
    counts: int = 14 * DAY
    answers: int = 2 * HOUR


class UnitOfWork:
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
        self._closed = closed_until(connection, [experiment.id for experiment in everything])
        self._histories: dict[int, dict[bytes, History]] = defaultdict(dict)
        self._dirty: dict[int, set[bytes]] = defaultdict(set)
        self._firsts: dict[tuple[int, bytes], tuple[int | None, int]] = {}
        self._waiting: list[Row] = []

    def load(self, model: int, names: Collection[bytes]) -> dict[bytes, History]:
        """Return histories of a Model's units by name, these among them; an empty one is not stored."""
        known = self._histories[model]
        if missing := [name for name in names if name not in known]:
            known.update(histories.found(self.rows, model, missing))
            for name in missing:
                if name not in known:
                    known[name] = History({}, [])
        return known

    def keep(self, model: int, named: Iterable[tuple[bytes, Outcome]]) -> list[tuple[bytes, Outcome]]:
        """Keep outcomes of units that are loaded and not `spilled`, and return those that are new."""
        known, dirty, new = self._histories[model], self._dirty[model], []
        for name, outcome in named:
            history = known[name]
            if not history.outcomes and not history.units:
                self._waiting.append((self.now, model, name))
            if history.keep(outcome):
                dirty.add(name)
                new.append((name, outcome))
        return new

    def outcomes(self, model: int, name: bytes) -> list[Outcome]:
        """Return all outcomes of a unit that is loaded."""
        history = self._histories[model][name]
        return histories.spilled(self.rows, model, name) if history.spilled else history.outcomes

    def put(self, experiment: Experiment, name: bytes, unit: Unit) -> None:
        """Change a unit that is loaded, and take down the difference that it makes."""
        history = self._histories[experiment.model][name]
        before = history.units.get(experiment.id)
        history.units[experiment.id] = unit
        self._dirty[experiment.model].add(name)
        if before is None or before.first_at != unit.first_at:
            stored = before.first_at if before else None
            self._firsts[experiment.id, name] = (
                self._firsts.get((experiment.id, name), (stored,))[0],
                unit.first_at,
            )
        self._enrol(experiment, before, unit)
        self._settle(experiment, before, unit, range(len(experiment.plan.metrics)))

    def mark(self, experiment: Experiment, name: bytes, unit: Unit, position: int) -> None:
        """Change one mark of a unit: `put`, in less time."""
        history = self._histories[experiment.model][name]
        before = history.units[experiment.id]
        history.units[experiment.id] = unit
        self._dirty[experiment.model].add(name)
        self._settle(experiment, before, unit, (position,))

    def flush(self) -> bool:
        """Write histories and sums down, and tell whether any Experiment changed."""
        for model, names in self._dirty.items():
            known = self._histories[model]
            histories.save(self.rows, model, {name: known[name] for name in names})
        self._write_firsts()
        self.rows.save(schema.waiting, self._waiting)
        if not self.changes:
            return False
        revision = ticked(self.connection)
        for number in sorted(self.changes):
            sums.apply(self.connection, number, self.changes[number], self.now, revision)
        return True

    def mismatches(self) -> dict[str, int]:
        """Return how many audits failed, by uid of the Experiment."""
        counts = {e.uid: self.changes[e.id].counters for e in self.by_uid.values() if e.id in self.changes}
        return {uid: each["audit_mismatches"] for uid, each in counts.items() if "audit_mismatches" in each}

    def _write_firsts(self) -> None:
        moved = [(e, old, name) for (e, name), (old, new) in self._firsts.items() if old not in (None, new)]
        self.rows.drop(schema.firsts, moved)
        fresh = [(e, new, name) for (e, name), (old, new) in self._firsts.items() if old != new]
        self.rows.save(schema.firsts, sorted(fresh))

    def _enrol(self, experiment: Experiment, before: Unit | None, after: Unit) -> None:
        was, now = before is not None and not before.excluded, not after.excluded
        if was is not now:
            units = self.changes[experiment.id].units
            units[after.arm] = units.get(after.arm, 0) + now - was
        if any(metric.learns_lag for metric in experiment.plan.metrics):
            moved = _arrival(experiment, before), _arrival(experiment, after)
            self.changes[experiment.id].move(self.changes[experiment.id].arrivals, (), *moved)
        if after.excluded and (before is None or not before.excluded):
            self.changes[experiment.id].count(_REASON[Excluded(after.excluded)])

    def _settle(
        self, experiment: Experiment, before: Unit | None, after: Unit, positions: Iterable[int]
    ) -> None:
        metrics, closed = experiment.plan.metrics, self._closed
        for position in positions:
            metric, until = metrics[position], closed.get((experiment.id, position), -1)
            old, new = counted(before, position, metric, until), counted(after, position, metric, until)
            if old != new:
                self.changes[experiment.id].replace((after.arm, position), old, new)
            if metric.lag is not None:
                self._mature(experiment, before, after, position)

    def _mature(self, experiment: Experiment, before: Unit | None, after: Unit, position: int) -> None:
        """Take down the difference among mature units, and in how late the outcome came."""
        metric, change = experiment.plan.metrics[position], self.changes[experiment.id]
        until = self._closed.get((experiment.id, position), -1)
        old, new = matured(before, position, metric, until), matured(after, position, metric, until)
        if old != new:
            change.replace((after.arm, experiment.plan.mature(position)), old, new)
        if metric.learns_lag:
            late = delayed(before, position, metric), delayed(after, position, metric)
            change.move(change.delays, (position,), *(None if d is None else cell(d) for d in late))


def _arrival(experiment: Experiment, unit: Unit | None) -> int | None:
    return None if unit is None or unit.excluded else cell(unit.first_at - experiment.since)
