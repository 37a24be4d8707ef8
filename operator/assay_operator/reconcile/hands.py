"""Apply: write what is not so yet, say what has changed, and remember the answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay_api import Condition, Experiment, Model, ModelVersion, Ref
from assay_api.names import OPERATOR
from assay_operator.decide.difference import says
from assay_operator.kube import Body, Cluster, Kind, Refused
from assay_operator.kube.store import Key, Store
from assay_operator.manifests.status import events, status

NOT_FOUND = 404


@dataclass(frozen=True)
class Hands:
    """The only way in which reconcilers change the world of Kubernetes."""

    cluster: Cluster
    store: Store
    now: Callable[[], datetime]

    async def ensure(
        self, manifest: Mapping[str, Any], live: Mapping[Key, Body], manager: str = OPERATOR
    ) -> None:
        """Apply `manifest` unless the object, as last seen, says all of it."""
        if not says(live.get((manifest["kind"], manifest["metadata"]["name"])), manifest):
            self.store.put(await self.cluster.apply(manifest, manager=manager))

    async def only(
        self, kind: Kind, manifest: Mapping[str, Any], live: Mapping[Key, Body], *, when: bool
    ) -> None:
        """Ensure an object, or that there is none."""
        metadata = manifest["metadata"]
        if when:
            await self.ensure(manifest, live)
        elif (kind.kind, metadata["name"]) in live:
            await self.remove(kind, Ref(metadata["namespace"], metadata["name"]))

    async def make(self, manifest: Mapping[str, Any]) -> bool:
        """Create an object that never changes; tell whether it is new."""
        made = await self.cluster.create(manifest)
        if made is not None:
            self.store.put(made)
        return made is not None

    async def remove(self, kind: Kind, ref: Ref) -> None:
        """Delete an object."""
        await self.cluster.delete(kind, ref)

    async def report(self, thing: Model | ModelVersion | Experiment, news: Any) -> bool:
        """Write a status unless it says so already: a write wakes every watcher. Tell of new conditions.

        What has been deleted since it was seen has no status any more; the news of that is on its way.
        """
        if news == thing.status:
            return False
        try:
            self.store.put(await self.cluster.apply_status(status(thing, news)))
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            return False
        await self.tell(thing, thing.status.conditions, news.conditions)
        return True

    async def tell(
        self, thing: Model | ModelVersion | Experiment, before: Iterable[Condition], now: Iterable[Condition]
    ) -> None:
        """Create an Event for every condition that is news; telling it again creates none."""
        for event in events(thing, before, now, self.now()):
            await self.cluster.create(event)
