"""Parcels of counts: each counts once, in the window in which its counts were taken."""

from sqlalchemy import Connection

from assay_collector.batch import Answer, Counted
from assay_collector.ledger.book import Policy
from assay_collector.store import profiles


def count(connection: Connection, policy: Policy, now: int, batch: Counted) -> Answer:
    """Add a parcel to its window.

    A parcel that does not fit what is there (`unknown`) or is older than counts are kept (`late`) changes
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
