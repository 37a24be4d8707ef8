"""Kopf's way in: every event of every kind that we watch leads to the same call."""

import asyncio
import logging
import time
from typing import Any, Protocol

import kopf

from assay_api import Ref
from assay_operator.kinds import EXPERIMENT, VERSION, WATCHED, Kind
from assay_operator.kube import Body, Cluster
from assay_operator.kube.store import Store, layer_of, model_of
from assay_operator.kube.workload import over, started
from assay_operator.telemetry import gauges, metrics

LISTING_SECONDS = 300.0  # between two listings: watches lose their place silently

log = logging.getLogger(__name__)


class Queue(Protocol):
    """Who looks at Models."""

    def add(self, ref: Ref) -> None:
        """Ask for a look at a Model."""

    def forget(self, uid: str) -> None:
        """Keep nothing of an Experiment that is gone."""


class Triggers:
    """Feeds the store and the queue; knows nothing of what is done with them."""

    def __init__(self, cluster: Cluster, store: Store, queue: Queue) -> None:
        """Take whom to feed."""
        self._cluster = cluster
        self._store = store
        self._queue = queue
        self.last_event: dict[str, float] = {}
        self.last_sweep = time.monotonic()

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Teach `registry` the handlers. All of them only look, so kopf writes nothing on any object."""
        for kind in WATCHED:
            self._watch(registry, kind)

    def _watch(self, registry: kopf.OperatorRegistry, kind: Kind) -> None:
        labels = {kind.label: kopf.PRESENT} if kind.label else None

        @kopf.on.event(*_resource(kind), id=f"seen-{kind.plural}", labels=labels, registry=registry)
        async def on_event(event: kopf.RawEvent, **_: Any) -> None:
            self.last_event[kind.kind] = time.monotonic()
            whole = {"apiVersion": kind.api_version, "kind": kind.kind, **event["object"]}
            self.observed(whole, gone=event["type"] == "DELETED")

    def observed(self, body: Body, *, gone: bool) -> None:
        """Take in one event."""
        ref = None
        if gone:
            ref = self._store.drop(body)
            self._gone(body)
        elif self._store.is_news(body):  # the echo of our own write is none
            ref = self._store.put(body)
        if ref is not None:
            self._queue.add(ref)
        if gone or over(body):
            self.room_after(body)

    def _gone(self, body: Body) -> None:
        """Nothing is kept of an object that is gone, series included."""
        metadata, model = body["metadata"], model_of(body)
        if body["kind"] == EXPERIMENT.kind:
            self._queue.forget(metadata["uid"])
            gauges.forget_experiment(Ref(metadata["namespace"], metadata["name"]))
        elif body["kind"] == VERSION.kind and model:
            gauges.forget_version(model, metadata["name"])

    def room_after(self, body: Body) -> None:
        """Wake the Experiments that may have waited for this one's part of their layer."""
        if layer := layer_of(body):
            waiting = [other for other in self._store.layer(layer) if not started(other)]
            for ref in filter(None, map(model_of, waiting)):
                self._queue.add(ref)

    async def refresh(self) -> None:
        """Take the world from listings, at the start and now and then: watches lose their place silently."""
        for kind in WATCHED:
            bodies, version = await self._cluster.listed(kind)
            for ref in self._store.replace(kind, bodies, version):
                self._queue.add(ref)
        metrics.objects.set(len(self._store.refs()))

    async def sweep(self, pulse: float) -> None:
        """List everything again, for ever; `pulse` seconds apart it is shown that the loop is alive.

        Nothing is looked at that did not change: each pass says itself when time alone may change its plan.
        """
        listed = time.monotonic()
        while True:
            await asyncio.sleep(pulse)
            self.last_sweep = time.monotonic()
            if self.last_sweep - listed >= LISTING_SECONDS:
                listed = self.last_sweep
                await self._listed()

    async def _listed(self) -> None:
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001  the next sweep lists again
            metrics.errors.labels(type(error).__name__).inc()
            log.warning("the listing failed, again in %.0f s: %s", LISTING_SECONDS, str(error)[:300])


def _resource(kind: Kind) -> tuple[str, ...]:
    return (kind.group, kind.version, kind.plural) if kind.group else (kind.version, kind.plural)
