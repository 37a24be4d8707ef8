"""Kopf's way in: every event of every kind that we watch leads to the same call."""

import asyncio
import itertools
import logging
import time
from typing import Any

import kopf

from assay_api import Ref
from assay_operator.kube import EVERY, EXPERIMENT, Body, Cluster, Kind
from assay_operator.kube.seen import over, started
from assay_operator.kube.store import Store, family_of, layer_of
from assay_operator.reconcile import gauges
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.telemetry import metrics
from assay_operator.xds import Gateways

SWEEPS_PER_LISTING = 10
ACK_PATIENCE = 5.0  # seconds that a deletion waits for the gateways; it must never hang
RETRY_SECONDS = 2

log = logging.getLogger(__name__)


class Triggers:
    """Feeds the store and the queue; knows nothing of what is done with them."""

    def __init__(self, cluster: Cluster, store: Store, queue: WorkQueue[Ref], gateways: Gateways) -> None:
        """Take whom to feed."""
        self._cluster = cluster
        self._store = store
        self._queue = queue
        self._gateways = gateways
        self.last_event: dict[str, float] = {}
        self.last_sweep = time.monotonic()

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Teach `registry` the handlers; they have ids, or kopf would name them `...<locals>...`."""
        for kind in EVERY:
            self._watch(registry, kind)

        @kopf.on.delete(
            *_resource(EXPERIMENT), id="traffic-back-to-control", registry=registry, backoff=RETRY_SECONDS
        )
        async def deleted(body: kopf.Body, **_: Any) -> None:
            ref = self._store.put(dict(body))
            if ref is None:
                return
            await self._queue.done(ref)
            await self._gateways.wait_programmed(ref, ACK_PATIENCE)

    def _watch(self, registry: kopf.OperatorRegistry, kind: Kind) -> None:
        labels = {kind.label: kopf.PRESENT} if kind.label else None

        @kopf.on.event(*_resource(kind), id=f"seen-{kind.plural}", labels=labels, registry=registry)
        async def seen(body: kopf.Body, event: kopf.RawEvent, **_: Any) -> None:
            self.last_event[kind.kind] = time.monotonic()
            whole = {"apiVersion": kind.api_version, "kind": kind.kind, **body}
            gone = event["type"] == "DELETED"
            if gone and kind is EXPERIMENT:
                gauges.forget(body["metadata"]["namespace"], body["metadata"]["name"])
            ref = self._store.drop(whole) if gone else self._store.put(whole)
            if ref is not None:
                self._queue.add(ref)
            else:
                self.every_model()  # a gateway came or went
            if gone or over(whole):
                self.room_after(whole)

    def room_after(self, body: Body) -> None:
        """Wake the Experiments that may have waited for this one's part of their layer."""
        if layer := layer_of(body):
            waiting = [other for other in self._store.layer(layer) if not started(other)]
            for ref in filter(None, map(family_of, waiting)):
                self._queue.add(ref)

    def every_model(self) -> None:
        """Ask for a look at everything."""
        for ref in self._store.families():
            self._queue.add(ref)

    async def refresh(self) -> None:
        """Take the world from listings, at the start and now and then: watches lose their place silently."""
        for kind in EVERY:
            bodies, version = await self._cluster.listed(kind)
            for ref in self._store.replace(kind, bodies, version):
                self._queue.add(ref)
        metrics.objects.set(len(self._store.families()))

    async def sweep(self, every: float) -> None:
        """Look at everything again, for ever: time passes without telling Kubernetes."""
        for turn in itertools.count(1):
            await asyncio.sleep(every)
            if turn % SWEEPS_PER_LISTING == 1:  # the first soon after the start, for what went while we came
                try:
                    await self.refresh()
                except Exception as error:  # the next sweep lists again
                    metrics.errors.labels(type(error).__name__).inc()
                    log.exception("the listing failed, again in %.0f s", every)
            self.every_model()
            self.last_sweep = time.monotonic()


def _resource(kind: Kind) -> tuple[str, ...]:
    group, _, version = kind.api_version.rpartition("/")
    return (group, version, kind.plural) if group else (version, kind.plural)
