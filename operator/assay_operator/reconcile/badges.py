"""Gives every namespace whose Models want rows counted the token of its predictors.

The operator may write this one Secret and read none. So it remembers what it wrote, and writes again now
and then, as somebody may have deleted it.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from assay_drift.badge import badge
from assay_operator.kube import Refused
from assay_operator.manifests.capture import badge_secret
from assay_operator.reconcile.hands import Hands

AGAIN = timedelta(minutes=10)

log = logging.getLogger(__name__)


class Badges:
    """Writes tokens; knows of each namespace what it wrote last, and when."""

    def __init__(self, key: Callable[[], bytes] = bytes) -> None:
        """Take what reads the installation's key; it may be empty, and then nothing is written."""
        self._key = key
        self._written: dict[str, tuple[str, datetime]] = {}

    async def give(self, namespace: str, hands: Hands) -> None:
        """See to it that a namespace has its token; a refusal is told of, and changes nothing else."""
        if not (key := self._key()):
            return
        token, now = badge(key, namespace), hands.now()
        known, since = self._written.get(namespace, ("", now))
        if known == token and now - since < AGAIN:
            return
        try:
            await hands.cluster.apply(badge_secret(namespace, token))
        except Refused as refused:
            log.warning("no counts from %s: its token can't be written: %s", namespace, refused)
        self._written[namespace] = (token, now)
