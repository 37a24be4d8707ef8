"""Windows close and units become mature as time passes: a cursor per metric walks the units once."""

from sqlalchemy import Connection, select, update

from assay_collector.attribution.experiment import Experiment
from assay_collector.attribution.unit import counted, matured
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store import delays, histories, schema, sums
from assay_collector.store.experiments import due, running, ticked
from assay_collector.store.rows import rows_of

STEP = 5_000  # units in one transaction


def close(connection: Connection, policy: Policy, now: int, step: int = STEP) -> int:
    """Count units whose window has closed, about `step` a metric; return how many of one metric, at most."""
    until = now - policy.patience.lateness
    passed, learning = due(connection, until), delays.learning(connection)
    if not passed and not learning:
        return 0
    experiments = {one.id: one for one in running(connection, learning | {number for number, _ in passed})}
    changes = {number: sums.Change() for number in delays.relearn(connection, experiments.values(), now)}
    cursors = delays.lags(connection, experiments)  # once they are held: another replica may have been here
    most = 0
    for number, position in sorted(cursors):
        experiment, lag = experiments[number], cursors[number, position]
        span = (lag.until, until - lag.length)
        change = changes.get(number, sums.Change())
        if count := _close(connection, experiment, position, span=span, change=change, step=step):
            changes[number], most = change, max(most, count)
    if changes:
        revision = ticked(connection)
        for number, change in changes.items():
            sums.apply(connection, number, change, now, revision)
    return most


def _close(
    connection: Connection,
    experiment: Experiment,
    position: int,
    *,
    span: tuple[int, int],
    change: sums.Change,
    step: int,
) -> int:
    firsts = schema.firsts.c
    within = (firsts.experiment == experiment.id) & (firsts.first_at > span[0])
    nth = select(firsts.first_at).where(within, firsts.first_at <= span[1]).order_by(firsts.first_at)
    bound = connection.execute(nth.offset(step - 1).limit(1)).scalar() or span[1]
    metric = experiment.plan.metrics[position]
    names = connection.execute(select(firsts.unit).where(within, firsts.first_at <= bound)).scalars().all()
    for history in histories.found(rows_of(connection), experiment.model, names).values():
        unit = history.units[experiment.id]
        if metric.lag is None:
            change.replace((unit.arm, position), None, counted(unit, position, metric, bound))
        else:
            change.replace(
                (unit.arm, experiment.plan.mature(position)), None, matured(unit, position, metric, bound)
            )
    if names:
        _advance(connection, experiment.id, position, bound)
    return len(names)


def _advance(connection: Connection, experiment: int, position: int, bound: int) -> None:
    windows = schema.windows
    match = (windows.c.experiment == experiment) & (windows.c.metric == position)
    connection.execute(update(windows).where(match).values(closed_until=bound))
