"""From claims to a status' conditions."""

from collections.abc import Iterable
from datetime import datetime

from assay_api import Condition, merged
from assay_operator.decide.claim import Claim, dated, repeats


def with_claims(
    known: tuple[Condition, ...], claims: Iterable[Claim], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Return the conditions with these claims in place of those of equal type; of several the last counts."""
    newest = {claim.type: claim for claim in claims}
    dates = {condition.type: condition for condition in known}
    news = (c for c in newest.values() if not repeats(c, dates.get(c.type), generation))
    return merged(known, *(dated(claim, generation, now) for claim in news))
