"""What the operator reads: a handful of rows, whatever the traffic was."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from assay_collector.attribution.moments import Moments
from assay_collector.attribution.unit import Excluded
from assay_collector.store import delays, histories, schema, sums, unknown
from assay_collector.store.plans import plan_from
from assay_collector.store.rows import rows_of

MILLION = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def summary(connection: Connection, uid: str) -> dict[str, Any] | None:
    """Return the statistics of an Experiment, or None if nobody declared it."""
    experiments = schema.experiments
    row = connection.execute(select(experiments).where(experiments.c.uid == uid)).first()
    if row is None:
        return None
    return {
        "revision": row.revision,
        "epoch": row.epoch,
        "closed": row.closed,
        "startedAt": iso(plan_from(row.plan).started_at),
        "lastExposureAt": iso(row.last_exposure_at),
        "lastIngestAt": iso(row.last_ingest_at),
        "arms": _arms(connection, row.id, row.plan),
        "maturity": _maturity(connection, row.id, row.plan),
        "checks": {
            "auditMismatches": row.audit_mismatches,
            "crossoverUnits": row.crossover_units,
            "botUnits": row.bot_units,
            "duplicateExposures": row.duplicate_exposures,
            "orphanOutcomes": row.orphan_outcomes,
            "lateOutcomes": row.late_outcomes,
        },
        "unknownMetrics": unknown.noted(connection, row.model, row.created_at),
    }


def _arms(connection: Connection, experiment: int, plan: str) -> dict[str, Any]:
    names = plan_from(plan)
    found = connection.execute(select(schema.arms).where(schema.arms.c.experiment == experiment))
    counts = {row.arm: row for row in found}
    cells = sums.moments(connection, experiment)
    return {
        arm: {
            "units": counts[number].units,
            "exposures": counts[number].exposures,
            "metrics": {
                metric.name: _sums(cells[number, position]) for position, metric in enumerate(names.metrics)
            },
            "mature": {
                names.metrics[position].name: _sums(cells[number, names.mature(position)])
                for position in names.maturing()
            },
        }
        for number, arm in enumerate(names.arms)
    }


def _sums(cell: Moments) -> dict[str, float]:
    return {"n": cell.n, "sum": cell.sum, "sumsq": cell.sumsq, "m2": cell.m2}


def _maturity(connection: Connection, experiment: int, plan: str) -> dict[str, Any]:
    """Return how old a unit is when it is mature, by metric, and the first exposures up to which all are."""
    names = plan_from(plan)
    found = delays.lags(connection, [experiment])
    return {
        metric.name: {
            "lagSeconds": lag.length / MILLION,
            "learned": metric.learns_lag and lag.length != metric.lag,
            "until": iso(lag.until) if lag.until >= 0 else None,
        }
        for position in names.maturing()
        for metric in [names.metrics[position]]
        if (lag := found.get((experiment, position)))
    }


def unit(connection: Connection, uid: str, name: bytes) -> dict[str, Any] | None:
    """Return what is known of one unit in an Experiment, by its pseudonym."""
    columns = schema.experiments.c
    row = connection.execute(
        select(columns.id, columns.model, columns.plan).where(columns.uid == uid)
    ).first()
    history = row and histories.found(rows_of(connection), row.model, [name]).get(name)
    if row is None or history is None or row.id not in history.units:
        return None
    plan, known = plan_from(row.plan), history.units[row.id]
    marks = zip(plan.metrics, known.marks, strict=True)
    return {
        "unit": name.hex(),
        "arm": plan.arms[known.arm],
        "firstExposureAt": iso(known.first_at),
        "epoch": known.epoch,
        "exposures": known.exposures,
        "excluded": Excluded(known.excluded).name.lower() if known.excluded else None,
        "metrics": {m.name: {"value": mark.value, "at": iso(mark.at)} for m, mark in marks if mark},
    }


def changed_since(connection: Connection, revision: int) -> tuple[int, list[str]]:
    """Return the newest revision, and the uids of the Experiments that changed after `revision`."""
    columns = schema.experiments.c
    newest = connection.execute(select(schema.clock.c.revision)).scalar_one()
    found = connection.execute(
        select(columns.uid).where(columns.revision > revision).order_by(columns.revision)
    )
    return newest, list(found.scalars())


def iso(at: int | None) -> str | None:
    """Write microseconds since 1970 as ISO 8601."""
    return None if at is None else (EPOCH + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")
