"""Experiments, models and metric names in the store: few rows, read by name, written seldom."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, and_, func, insert, or_, select, tuple_, update

from assay_collector.attribution.experiment import Experiment, Plan, Progress, Ref
from assay_collector.store.plans import plan_from, plan_text
from assay_collector.store.schema import arms, cells, clock, experiments, firsts, metrics, models, windows


@dataclass(slots=True)
class Scope:
    """A Model and everything that its outcomes may belong to.

    Attributes:
        metrics: Row number of each metric name that any of its Experiments declared.
        experiments: Oldest first, folded ones left out.
    """

    id: int
    metrics: dict[str, int] = field(default_factory=dict)
    experiments: list[Experiment] = field(default_factory=list)


class Frozen(Exception):  # noqa: N818 - it is a refusal, not a bug
    """A PUT that would change what was frozen by the first; `field` says which."""

    def __init__(self, field_name: str) -> None:
        """Name the field."""
        super().__init__(field_name)
        self.field = field_name


def declare(connection: Connection, uid: str, plan: Plan, progress: Progress, now: int) -> bool:
    """Create or move an Experiment, and tell whether anything changed.

    Raises:
        Frozen: The plan is not that of the first PUT.
    """
    row = connection.execute(select(experiments).where(experiments.c.uid == uid).with_for_update()).first()
    if row is None:
        _create(connection, uid, plan, progress, now)
        return True
    if (changed := _difference(plan_from(row.plan), plan)) is not None:
        raise Frozen(changed)
    if Progress(row.slots, row.epoch, row.closed) == progress:
        return False
    closed_at = (row.closed_at or now) if progress.closed else None
    values = {
        "slots": progress.slots, "epoch": progress.epoch, "closed": progress.closed, "closed_at": closed_at,
        "revision": ticked(connection),
    }  # fmt: skip
    connection.execute(update(experiments).where(experiments.c.id == row.id).values(values))
    return True


def _difference(old: Plan, new: Plan) -> str | None:
    same = {"namespace", "model", "arms", "metrics"}
    return next((name for name in sorted(same) if getattr(old, name) != getattr(new, name)), None)


def _create(connection: Connection, uid: str, plan: Plan, progress: Progress, now: int) -> None:
    model = _named(connection, models, {"namespace": plan.namespace, "name": plan.model})
    for _, metric in plan.events():
        _named(connection, metrics, {"model": model, "name": metric.name})
    zeros = dict.fromkeys(COUNTERS, 0)
    row = {
        "uid": uid, "model": model, "plan": plan_text(plan), "slots": progress.slots, "epoch": progress.epoch,
        "closed": progress.closed, "closed_at": now if progress.closed else None, "folded": False,
        "created_at": now, "revision": ticked(connection),
    }  # fmt: skip
    made = connection.execute(
        insert(experiments).values(row | zeros).returning(experiments.c.id)
    ).scalar_one()
    for arm in range(len(plan.arms)):
        connection.execute(insert(arms).values(experiment=made, arm=arm, units=0, exposures=0))
        for position in (*range(len(plan.metrics)), *map(plan.mature, plan.maturing())):
            key = {"experiment": made, "arm": arm, "metric": position}
            connection.execute(insert(cells).values(**key, n=0, total="0", squares="0"))
    for position in (*plan.windowed(), *plan.maturing()):
        length = plan.metrics[position].window or plan.metrics[position].lag or 0
        window = {"experiment": made, "metric": position, "closed_until": -1, "length": length}
        connection.execute(insert(windows).values(window))


COUNTERS = (
    "audit_mismatches",
    "crossover_units",
    "bot_units",
    "duplicate_exposures",
    "orphan_outcomes",
    "late_outcomes",
)


def _named(connection: Connection, table: Table, values: dict[str, Any]) -> int:
    match = and_(*(table.c[name] == value for name, value in values.items()))
    found: int | None = connection.execute(select(table.c.id).where(match)).scalar()
    if found is not None:
        return found
    return int(connection.execute(insert(table).values(values).returning(table.c.id)).scalar_one())


def ticked(connection: Connection) -> int:
    """Return the next revision; its row stays locked until the commit, so revisions commit in order."""
    statement = update(clock).values(revision=clock.c.revision + 1).returning(clock.c.revision)
    return int(connection.execute(statement).scalar_one())


def scopes(connection: Connection, refs: Collection[Ref], uids: Collection[str]) -> dict[Ref, Scope]:
    """Return the Models of these names and uids; their Experiments stay locked until the commit."""
    wanted = select(models)
    of_uids = select(experiments.c.model).where(experiments.c.uid.in_(uids))
    named = tuple_(models.c.namespace, models.c.name).in_(list(refs))
    found = connection.execute(wanted.where(or_(named, models.c.id.in_(of_uids)))).all()
    by_id = {row.id: Scope(row.id) for row in found}
    for row in connection.execute(select(metrics).where(metrics.c.model.in_(by_id))):
        by_id[row.model].metrics[row.name] = row.id
    for row in connection.execute(_locked().where(experiments.c.model.in_(by_id))):
        scope = by_id[row.model]
        scope.experiments.append(known(row, scope.metrics))
    return {(row.namespace, row.name): by_id[row.id] for row in found}


def _locked() -> Any:
    columns = ("id", "uid", "model", "plan", "created_at", "closed")
    wanted = select(*(experiments.c[name] for name in columns)).where(experiments.c.folded.is_(False))
    return wanted.order_by(experiments.c.id).with_for_update()


def held(connection: Connection, ids: Collection[int]) -> None:
    """Keep everybody else from the units of these Models until the commit."""
    if ids:
        connection.execute(_locked().where(experiments.c.model.in_(ids)))


def known(row: Row[Any], names: dict[str, int]) -> Experiment:
    """Read a row of `experiments`."""
    plan = plan_from(row.plan)
    positions = {names[metric.name]: position for position, metric in plan.events()}
    return Experiment(row.id, row.uid, row.model, plan, positions, row.created_at, row.closed)


def closed_until(connection: Connection, ids: Iterable[int]) -> dict[tuple[int, int], int]:
    """Return how far the windows of these Experiments are closed, by (Experiment, metric)."""
    found = connection.execute(select(windows).where(windows.c.experiment.in_(list(ids))))
    return {(row.experiment, row.metric): row.closed_until for row in found}


def revision(connection: Connection) -> int:
    """Return the newest revision."""
    return int(connection.execute(select(func.max(clock.c.revision))).scalar_one())


def due(connection: Connection, until: int) -> list[tuple[int, int]]:
    """Return (Experiment, metric) where a window of some unit has closed by `until` and is not counted."""
    first = firsts.c.first_at
    passed = (first > windows.c.closed_until) & (first <= until - windows.c.length)
    some = select(firsts.c.unit).where(firsts.c.experiment == windows.c.experiment, passed).exists()
    running = select(experiments.c.id).where(experiments.c.closed.is_(False))
    found = select(windows.c.experiment, windows.c.metric).where(windows.c.experiment.in_(running), some)
    return [(row.experiment, row.metric) for row in connection.execute(found)]


def running(connection: Connection, ids: Collection[int]) -> list[Experiment]:
    """Return those of these Experiments that are not closed, locked until the commit."""
    wanted = _locked().where(experiments.c.closed.is_(False), experiments.c.id.in_(ids))
    found = connection.execute(wanted).all()
    names: dict[int, dict[str, int]] = {row.model: {} for row in found}
    for row in connection.execute(select(metrics).where(metrics.c.model.in_(names))):
        names[row.model][row.name] = row.id
    return [known(row, names[row.model]) for row in found]
