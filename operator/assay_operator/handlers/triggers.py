"""The ways in from the API server: every event of every kind that we watch leads to the same call."""

import asyncio
import itertools
import logging
import time
from collections.abc import Iterable
from typing import Any, Protocol

import kopf

from assay_api import Ref
from assay_operator.handlers.kind_watch import KindWatch
from assay_operator.kinds import EXPERIMENT, MODEL, VERSION, WATCHED, Kind
from assay_operator.kube import Body, Cluster
from assay_operator.kube.store import Store, layer_of, model_of
from assay_operator.kube.workload import over, started
from assay_operator.telemetry import gauges, metrics

LISTING_SECONDS = 300.0  # between two listings of one kind; each has its turn
FOLLOWED = tuple(kind for kind in WATCHED if kind is not MODEL)  # kopf watches the Models

log = logging.getLogger(__name__)


class Queue(Protocol):
    """Who looks at Models."""

    def add(self, ref: Ref) -> None:
        """Ask for a look at a Model."""

    def forget(self, uid: str) -> None:
        """Keep nothing of an Experiment that is gone."""


class Triggers:
    """Feeds the store and the queue; knows nothing of what is done with them."""

    def __init__(
        self, cluster: Cluster, store: Store, queue: Queue, namespaces: tuple[str, ...] = ()
    ) -> None:
        """Take whom to feed; no namespaces means all."""
        self._cluster = cluster
        self._store = store
        self._queue = queue
        self._namespaces = namespaces
        self._listed_at: dict[str, int] = {}  # version of the newest listing, by kind
        self.last_event: dict[str, float] = {}
        self.last_sweep = time.monotonic()

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Teach `registry` the handler of Models. It only looks, so kopf writes nothing on any object."""

        @kopf.on.event(*_resource(MODEL), id="models", registry=registry)
        async def observe(event: kopf.RawEvent, **_: Any) -> None:
            whole = {"apiVersion": MODEL.api_version, "kind": MODEL.kind, **event["object"]}
            self._event(whole, event["type"] == "DELETED")

    async def follow(self) -> None:
        """Follow every other kind from its listing on, for ever."""
        async with asyncio.TaskGroup() as tasks:
            for kind in FOLLOWED:
                for namespace in self._namespaces or (None,):
                    watch = KindWatch(self._cluster, kind, namespace, self._event, self._take)
                    tasks.create_task(watch.run(self._listed_at[kind.kind]))

    def _event(self, body: Body, deleted: bool) -> None:  # noqa: FBT001  as `KindWatch` calls it
        self.last_event[body["kind"]] = time.monotonic()
        self.observed(body, gone=deleted)

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
        """Take the world from listings, at the start and when what we know turns out to be of the past."""
        for kind in WATCHED:
            await self._refresh(kind)

    async def _refresh(self, kind: Kind) -> None:
        self._take(kind, *await self._cluster.listed(kind))

    def _take(self, kind: Kind, bodies: Iterable[Body], version: int) -> None:
        self._listed_at[kind.kind] = version
        for ref in self._store.replace(kind, bodies, version):
            self._queue.add(ref)
        metrics.objects.set(len(self._store.refs()))

    async def sweep(self, pulse: float) -> None:
        """List one kind after the other again, for ever; every `pulse` seconds the loop is shown to be alive.

        Nothing is looked at that did not change: each pass says itself when time alone may change its plan.
        """
        listed, turns = time.monotonic(), itertools.cycle(WATCHED)
        while True:
            await asyncio.sleep(pulse)
            self.last_sweep = time.monotonic()
            if self.last_sweep - listed >= LISTING_SECONDS:
                listed = self.last_sweep
                await self._listed(next(turns))

    async def _listed(self, kind: Kind) -> None:
        try:
            await self._refresh(kind)
        except Exception as error:  # noqa: BLE001  it has its turn again
            metrics.errors.labels(type(error).__name__).inc()
            log.warning("the listing of %s failed: %s", kind.plural, str(error)[:300])


def _resource(kind: Kind) -> tuple[str, ...]:
    return (kind.group, kind.version, kind.plural) if kind.group else (kind.version, kind.plural)
