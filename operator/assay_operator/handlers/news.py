"""The collector's way in: a long poll that wakes the Experiments that have news."""

import asyncio
import logging

from assay_api import Ref
from assay_operator.kube.store import Store
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.telemetry import NoAnswer, Outcomes

POLL_SECONDS = 20.0
PAUSE_SECONDS = 1.0

log = logging.getLogger(__name__)


async def listen(outcomes: Outcomes, store: Store, queue: WorkQueue[Ref]) -> None:
    """Ask for ever; after a failure every running Experiment looks by itself, at its own pace."""
    revision, silent = 0, False
    while True:
        try:
            news = await outcomes.changes(revision, POLL_SECONDS)
        except NoAnswer as nothing:
            if not silent:
                log.warning("no news: %s", nothing)
            silent, revision = True, 0
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        silent, revision = False, news.revision
        for ref in filter(None, map(store.whose, news.experiments)):
            queue.add(ref)
