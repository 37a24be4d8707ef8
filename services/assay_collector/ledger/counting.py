"""Counts: of profiles, where each batch counts once, in its window; of answers, which just add up."""

from collections.abc import Sequence

from sqlalchemy import Connection

from assay_collector.batch import Answer, Answered, Counted
from assay_collector.ledger.unit_of_work import Policy
from assay_collector.store import answers, profiles

MILLION = 1_000_000


def count(connection: Connection, policy: Policy, now: int, batch: Counted) -> Answer:
    """Add a batch to its window.

    A batch that does not fit what is there (`unknown`) or is older than counts are kept (`late`) changes
    nothing. One that seems to come from the future belongs to now.
    """
    at = min(batch.at, now)
    if at <= now - policy.counts:
        return Answer(late=1)
    profile = profiles.number_of(connection, batch.owner)
    if profile is None:
        return Answer(unknown=1)
    before = profiles.window(connection, profile, at)
    rows, columns = before or (0, {})
    total = profiles.merged(columns, batch.columns)
    if total is None:
        return Answer(unknown=1)
    if profiles.known(connection, profile, batch.source, batch.sequence, now):
        return Answer(duplicates=1)
    profiles.save(connection, profile, at, rows + batch.rows, total, new=before is None)
    return Answer(accepted=1)


def count_answers(
    connection: Connection, policy: Policy, now: int, batches: Sequence[Answered]
) -> list[Answer]:
    """Add up counts of answers by version and second, all batches in one go.

    Those of a second that is forgotten already are `late`, those of a version too many `unknown`. A second
    that seems to come from the future belongs to now.
    """
    seconds = now // MILLION
    owners = {row.owner for batch in batches for row in batch.rows}
    numbers = {owner: answers.number_of(connection, owner) for owner in sorted(owners)}
    total: dict[tuple[int, int], answers.Counts] = {}
    done = []
    for batch in batches:
        done.append(answer := Answer())
        for row in batch.rows:
            number, second = numbers[row.owner], min(row.second, seconds)
            if second <= seconds - policy.answers // MILLION:
                answer.late += 1
            elif number is None:
                answer.unknown += 1
                continue
            else:
                before = total.get((number, second))
                total[number, second] = tuple(map(int.__add__, before, row.counts)) if before else row.counts
            answer.accepted += 1
    if total:
        answers.add(connection, total)
    return done
