"""A group of batches as one transaction: declarations, exposures, and then outcomes, so that fewer wait."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from assay_collector.attribution.experiment import Ref
from assay_collector.batch import Answer, Answered, Batch, Counted, Declared, Exposures, Outcomes, Tick
from assay_collector.ledger.closing import STEP, close
from assay_collector.ledger.counting import count, count_answers
from assay_collector.ledger.exposing import expose
from assay_collector.ledger.recording import record
from assay_collector.ledger.sweeping import sweep
from assay_collector.ledger.unit_of_work import Policy, UnitOfWork
from assay_collector.store.experiments import declare


@dataclass(slots=True)
class Committed:
    """What a transaction did.

    Attributes:
        answers: One for each batch, in the order of the batches.
        changed: Whether there are news for the operator.
        mismatches: Failed audits by uid of the Experiment.
    """

    answers: list[Answer]
    changed: bool = False
    mismatches: dict[str, int] = field(default_factory=dict)


def transact(connection: Connection, policy: Policy, now: int, batches: Sequence[Batch]) -> Committed:
    """Do what the batches ask; the caller commits.

    Raises:
        Frozen: A declaration would change what cannot change.
    """
    done = Committed([Answer() for _ in batches])
    for batch, answer in zip(batches, done.answers, strict=True):
        if isinstance(batch, Declared):
            answer.changed = declare(connection, batch.uid, batch.plan, batch.progress, now)
            done.changed |= answer.changed
    _events(connection, policy, now, batches, done)
    for index, batch in enumerate(batches):
        if isinstance(batch, Counted):
            done.answers[index] = count(connection, policy, now, batch)
    _answered(connection, policy, now, batches, done)
    for batch, answer in zip(batches, done.answers, strict=True):
        if isinstance(batch, Tick) and batch.sweep:
            answer.changed = sweep(connection, policy, now)
        elif isinstance(batch, Tick):
            passed = close(connection, policy, now)
            done.changed |= passed > 0
            answer.changed = passed >= STEP
    return done


def _answered(
    connection: Connection, policy: Policy, now: int, batches: Sequence[Batch], done: Committed
) -> None:
    found = [(index, batch) for index, batch in enumerate(batches) if isinstance(batch, Answered)]
    answers = count_answers(connection, policy, now, [batch for _, batch in found])
    for (index, _), answer in zip(found, answers, strict=True):
        done.answers[index] = answer


def _events(
    connection: Connection, policy: Policy, now: int, batches: Sequence[Batch], done: Committed
) -> None:
    reported = _reported_units(batches)
    uids = {uid for batch in batches if isinstance(batch, Exposures) for uid, _ in batch.rows}
    if not reported and not uids:
        return
    book = UnitOfWork(connection, policy, now, reported.keys(), uids)
    for ref, names in reported.items():  # all in one go, in the order in which they lie on disk
        if scope := book.scopes.get(ref):
            book.load(scope.id, sorted(names))
    for index, batch in enumerate(batches):
        if isinstance(batch, Exposures):
            done.answers[index] = expose(book, batch)
    for index, batch in enumerate(batches):
        if isinstance(batch, Outcomes):
            done.answers[index] = record(book, batch)
    done.changed |= book.flush()
    done.mismatches = book.mismatches()


def _reported_units(batches: Sequence[Batch]) -> dict[Ref, set[bytes]]:
    """Return the units of all outcomes, by Model."""
    names: dict[Ref, set[bytes]] = defaultdict(set)
    for batch in batches:
        if isinstance(batch, Outcomes):
            for row in batch.rows:
                names[row.model].add(row.unit)
    return names
