"""Exposures: count them, enrol their units, and give new units the outcomes that waited for them."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from assay_collector.batch import Answer, Exposures
from assay_collector.experiment import Experiment
from assay_collector.ledger.book import Book
from assay_collector.store import schema
from assay_collector.store.sums import Change
from assay_collector.unit import Excluded, Exposure, Outcome, derived, enrolled, exposed, is_bot

Once = dict[tuple[int, bytes], Exposure]  # by time and key: the same record always carries the same


def expose(book: Book, batch: Exposures) -> Answer:
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


def _expose(book: Book, experiment: Experiment, once: Once, answer: Answer) -> None:
    new = book.rows.add_new(schema.exposures, [(experiment.id, *key) for key in once])
    if len(new) < len(once):
        _repeated(book.changes[experiment.id], len(once) - len(new), answer)
    answer.accepted += len(new)
    fresh = [once[row[1], row[2]] for row in new]
    if not fresh:
        return
    units = book.load(experiment, {exposure.unit for exposure in fresh})
    before = {exposure.unit: units.get(exposure.unit) for exposure in fresh}
    for exposure in fresh:
        _count(book, experiment, exposure)
    enrols = {name for name, unit in before.items() if unit is None}
    moved = {name for name, unit in before.items() if unit and units[name].first_at < unit.first_at}
    _derive(book, experiment, enrols, moved)


def _count(book: Book, experiment: Experiment, exposure: Exposure) -> None:
    if exposure.at > book.now:  # whatever a clock says, it has happened
        exposure = exposure._replace(at=book.now)
    units, metrics = book.load(experiment, ()), experiment.plan.metrics
    arm, before = experiment.plan.arms.index(exposure.arm), units.get(exposure.unit)
    unit = exposed(before, arm, exposure, metrics) if before else enrolled(arm, exposure, metrics)
    if not unit.excluded and is_bot(unit, book.now, book.policy.hourly):
        unit = unit._replace(excluded=Excluded.BOT)
    units[exposure.unit] = unit
    _tally(book.changes[experiment.id], arm, exposure)


def _tally(change: Change, arm: int, exposure: Exposure) -> None:
    change.exposures[arm] = change.exposures.get(arm, 0) + 1
    change.last_exposure_at = max(change.last_exposure_at or 0, exposure.at)
    change.ingested = True
    if not exposure.sound:
        change.count("audit_mismatches")


def _derive(book: Book, experiment: Experiment, enrols: Collection[bytes], moved: Collection[bytes]) -> None:
    """Attribute what is kept for units whose first exposure is new, or earlier than thought."""
    names = (*enrols, *moved)
    waiting: dict[bytes, list[tuple[int, Outcome]]] = defaultdict(list)
    for _, name, metric, _, at, value, arrived in book.rows.find(schema.outcomes, experiment.model, names):
        if (position := experiment.positions.get(metric)) is not None:
            waiting[name].append((position, Outcome(metric, at, value, arrived)))
    units = book.load(experiment, names)
    for name, outcomes in waiting.items():
        units[name] = derived(units[name], experiment.plan.metrics, outcomes, book.policy.patience)
    if adopted := sum(_orphans(experiment, waiting[name]) for name in enrols if name in waiting):
        book.changes[experiment.id].count("orphan_outcomes", -adopted)


def _orphans(experiment: Experiment, outcomes: Iterable[tuple[int, Outcome]]) -> int:
    return sum(outcome.arrived >= experiment.created_at for _, outcome in outcomes)
