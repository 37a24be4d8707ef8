"""Exposures: count them, enrol their units, and give new units the outcomes that waited for them."""

from collections import defaultdict

from assay_collector.attribution.experiment import Experiment
from assay_collector.attribution.history import History
from assay_collector.attribution.unit import Excluded, Exposure, Unit, derived, enrolled, exposed, is_bot
from assay_collector.batch import Answer, Exposures
from assay_collector.ledger.unit_of_work import UnitOfWork
from assay_collector.store import schema
from assay_collector.store.sums import Change

Once = dict[tuple[int, bytes], Exposure]  # by time and key: the same record always carries the same


def expose(book: UnitOfWork, batch: Exposures) -> Answer:
    """Take the exposures of one request."""
    answer = Answer()
    wanted: dict[str, Once] = defaultdict(dict)
    for uid, exposure in batch.rows:
        experiment = book.by_uid.get(uid)
        if experiment is None or exposure.arm not in experiment.plan.arms:
            answer.unknown += 1
        elif experiment.closed or exposure.at <= book.now - book.policy.retention:  # its id may be forgotten
            answer.accepted += 1
            answer.late += 1
        elif wanted[uid].setdefault((exposure.at, exposure.key), exposure) is not exposure:
            _repeated(book.changes[experiment.id], 1, answer)
    for uid, once in wanted.items():
        _expose(book, book.by_uid[uid], once, answer)
    return answer


def _repeated(change: Change, times: int, answer: Answer) -> None:
    answer.duplicates += times
    change.count("duplicate_exposures", times)


def _expose(book: UnitOfWork, experiment: Experiment, once: Once, answer: Answer) -> None:
    new = book.rows.add_new(schema.exposures, [(experiment.id, *key) for key in once])
    if len(new) < len(once):
        _repeated(book.changes[experiment.id], len(once) - len(new), answer)
    answer.accepted += len(new)
    fresh = [once[row[1], row[2]] for row in new]
    if not fresh:
        return
    known = book.load(experiment.model, {exposure.unit for exposure in fresh})
    for exposure in fresh:
        _count(book, experiment, known[exposure.unit], exposure)


def _count(book: UnitOfWork, experiment: Experiment, history: History, exposure: Exposure) -> None:
    if exposure.at > book.now:  # whatever a clock says, it has happened
        exposure = exposure._replace(at=book.now)
    metrics, name = experiment.plan.metrics, exposure.unit
    arm, before = experiment.plan.arms.index(exposure.arm), history.units.get(experiment.id)
    unit = exposed(before, arm, exposure, metrics) if before else enrolled(arm, exposure, metrics)
    if not unit.excluded and is_bot(unit, book.now, book.policy.hourly):
        unit = unit.without(Excluded.BOT)
    if before is None or unit.first_at < before.first_at:
        unit = _derived(book, experiment, name, unit, new=before is None)
    book.put(experiment, name, unit)
    _tally(book.changes[experiment.id], arm, exposure)


def _tally(change: Change, arm: int, exposure: Exposure) -> None:
    change.exposures[arm] = change.exposures.get(arm, 0) + 1
    change.last_exposure_at = max(change.last_exposure_at or 0, exposure.at)
    change.ingested = True
    if not exposure.sound:
        change.count("audit_mismatches")


def _derived(book: UnitOfWork, experiment: Experiment, name: bytes, unit: Unit, *, new: bool) -> Unit:
    """Give a unit whose first exposure is new, or earlier than thought, the outcomes that are kept for it."""
    positions = experiment.positions
    outcomes = [outcome for outcome in book.outcomes(experiment.model, name) if outcome.metric in positions]
    if not outcomes:
        return unit
    if new and (adopted := sum(outcome.arrived >= experiment.created_at for outcome in outcomes)):
        book.changes[experiment.id].count("orphan_outcomes", -adopted)
    reported = [(positions[outcome.metric], outcome) for outcome in outcomes]
    return derived(unit, experiment.plan.metrics, reported, book.policy.patience)
