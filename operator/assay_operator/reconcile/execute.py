"""Execute: the only writer. It compares, checks whose an object is, and writes each status once.

The order is safe to be killed in: what the collector counts comes before what is routed by it, an
Experiment's status before the route that follows from it, users before pods, the Model's status last. Every
effect is safe to repeat, and each is fenced: a replica that is not the leader any more writes nothing.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from assay_api import Experiment, Model, ModelVersion, Ref
from assay_api.names import FINALIZER
from assay_api.reason import Reason
from assay_operator.decide.difference import says
from assay_operator.kinds import BY_NAME, EXPERIMENT
from assay_operator.kube import ApiError, Body, Cluster, NamespaceTerminating
from assay_operator.kube.ownership import relation
from assay_operator.kube.store import Store
from assay_operator.manifests.status import status_patch
from assay_operator.plan.actions import Child, Definition, Finalizer, Plan, Removal, StatusWrite
from assay_operator.plan.world import Key, Obstacle
from assay_operator.reconcile.obstacles import Obstacles
from assay_operator.telemetry import Outcomes, SourceUnavailable, gauges
from assay_operator.xds import Gateways

NOT_FOUND, CONFLICT = 404, 409
MINOR_EVERY = 2.0  # seconds between two writes of numbers that grow by themselves
UNWATCHED_EVERY = 600.0  # seconds after which an object that nobody watches is written again
FINALIZERS = "assay-finalizer"  # applies our finalizer and nothing else

log = logging.getLogger(__name__)


class NotLeaderError(Exception):
    """Another replica acts now; this one stops at once."""


class ConflictError(Exception):
    """An object has changed since it was gathered: look again."""


@dataclass
class Executor:
    """Carries out plans.

    Attributes:
        cluster: The API server.
        store: The cache, which is fed with the answers to our own writes.
        gateways: Where routes are published.
        outcomes: The collector, which is told what to count.
        obstacles: What could not be, for the next look.
        fence: Whether this replica is the leader; asked before every single effect.
    """

    cluster: Cluster
    store: Store
    gateways: Gateways
    outcomes: Outcomes
    obstacles: Obstacles
    fence: Callable[[], bool] = lambda: True
    _minor: dict[str, float] = field(default_factory=dict)  # when numbers were last written, by uid
    _undecided: set[str] = field(default_factory=set)  # uids of Experiments that had no verdict yet
    _unwatched: dict[tuple[str, Ref], tuple[str, float]] = field(default_factory=dict)

    async def create(self, ref: Ref, children: Iterable[Child]) -> bool:
        """Create versions and Experiments; tell whether anything is new, and the plan so out of date."""
        news = False
        for child in children:
            if self.obstacles.is_due(ref, _key(child)):
                news |= await self._attempt(ref, child, self._create)
        return news

    async def define(self, definitions: Iterable[Definition]) -> dict[str, str]:
        """Tell the collector what to count; return why it could not be told, by uid."""
        faults: dict[str, str] = {}
        for definition in definitions:
            self._fenced()
            try:
                await self.outcomes.define(definition.uid, definition.body)
            except SourceUnavailable as error:
                faults[definition.uid] = str(error)
        return faults

    async def run(self, ref: Ref, plan: Plan) -> float | None:
        """Make the world as planned; return in how many seconds to look again, if that changes anything."""
        held = await self._finalize(ref, [f for f in plan.finalizers if f.present])
        experiments = [w for w in plan.statuses if isinstance(w.resource, Experiment)]
        put_off = [w for w in experiments if not await self._write(w, held.get(w.resource.metadata.uid))]
        self._fenced()
        if not plan.keep_route:
            await self.gateways.publish(ref, plan.route)
        await self._finalize(ref, [f for f in plan.finalizers if not f.present])
        changed = await self._children(ref, plan)
        for removal in plan.removals:
            await self._remove(removal)
        for write in plan.statuses:
            if not isinstance(write.resource, Experiment):
                await self._write(write)
        for event in plan.events:
            await self._post(event)
        return 0.0 if changed else MINOR_EVERY if put_off else None

    async def _children(self, ref: Ref, plan: Plan) -> bool:
        wanted = frozenset(_key(child) for child in (*plan.children, *plan.creations))
        changed = self.obstacles.keep_only(ref, wanted)
        for child in plan.children:
            if self.obstacles.is_due(ref, _key(child)):
                changed |= await self._attempt(ref, child, self._ensure)
        return changed

    async def _attempt(
        self, ref: Ref, child: Child, act: Callable[[Ref, Child], Awaitable[Obstacle | bool]]
    ) -> bool:
        """Try one child; what goes wrong with it is remembered and keeps nobody else from anything."""
        key = _key(child)
        try:
            found = await act(ref, child)
        except NamespaceTerminating:
            raise
        except ApiError as error:
            found = Obstacle(Reason.CHILD_REFUSED, f"{key.kind} {key.name}: {error}"[:1024])
        if isinstance(found, Obstacle):
            return self.obstacles.met(ref, key, found)
        return self.obstacles.overcome(ref, key) or (found and act == self._create)

    async def _create(self, ref: Ref, child: Child) -> Obstacle | bool:
        """Create an object of our own kinds, which never changes; tell whether it is new."""
        self._fenced()
        made = await self.cluster.create(child.manifest)
        if made is not None:
            self.store.put(made)
            return True
        found = await self._live(child)
        if found is None:
            return False
        if relation(found, child.owner_uid, ref.name) in {"Ours", "Orphan"}:
            self.store.put(found)
            return True
        return self._obstacle(child, found, ref.name)

    async def _ensure(self, ref: Ref, child: Child) -> Obstacle | bool:
        """Apply an object unless it is as it shall be; never one that is not ours."""
        key = _key(child)
        if not BY_NAME[key.kind].watched:
            return await self._ensure_unwatched(ref, child)
        cached = self.store.object(ref, key)
        live = cached or await self._live(child)
        if live is not None:
            if relation(live, child.owner_uid, ref.name) not in {"Ours", "Orphan"}:
                return self._obstacle(child, live, ref.name)
            if says(live, child.manifest):
                if cached is None:
                    self.store.put(live)
                return False
        await self._apply(child, live)
        return True

    async def _ensure_unwatched(self, ref: Ref, child: Child) -> Obstacle | bool:
        """Write an object that nobody watches: when it is news, and now and then."""
        where, now = (_key(child).kind, Ref(ref.namespace, _key(child).name)), time.monotonic()
        content = str(child.manifest)
        known, since = self._unwatched.get(where, ("", 0.0))
        if known == content and now - since < UNWATCHED_EVERY:
            return False
        live = await self._live(child)
        if live is not None and relation(live, child.owner_uid, ref.name) != "Ours":
            return self._obstacle(child, live, ref.name)
        await self._apply(child, live)
        self._unwatched[where] = (content, now)
        return True

    async def _apply(self, child: Child, live: Body | None) -> None:
        self._fenced()
        manifest = child.manifest
        if live is not None:
            pinned = {**manifest["metadata"], "uid": live["metadata"]["uid"]}
            manifest = {**manifest, "metadata": pinned}
        applied = await self.cluster.apply(manifest, manager=child.manager)
        if BY_NAME[manifest["kind"]].watched:
            self.store.put(applied)

    async def _live(self, child: Child) -> Body | None:
        """Return the object as it is now: one that is not ours is in no cache."""
        key, metadata = _key(child), child.manifest["metadata"]
        kind = BY_NAME[key.kind]
        found = await self.cluster.get(kind, Ref(metadata["namespace"], key.name))
        return {"apiVersion": kind.api_version, "kind": kind.kind, **found} if found else None

    def _obstacle(self, child: Child, found: Body, model: str) -> Obstacle:
        key = _key(child)
        if relation(found, child.owner_uid, model) == "Remains":
            words = f"{key.kind} {key.name} of a former owner is being deleted by Kubernetes"
            return Obstacle(Reason.CHILD_REFUSED, words)
        words = f"{key.kind} {key.name} exists and is not ours; it is left alone. Rename it, or the Model"
        return Obstacle(Reason.NAME_TAKEN, words)

    async def _finalize(self, ref: Ref, finalizers: Iterable[Finalizer]) -> dict[str, str]:
        """Set finalizers; return the versions that the objects have by that, by uid."""
        versions = {}
        for one in finalizers:
            if one.present or one.at_once or self.gateways.programmed(ref).done:
                versions[one.experiment.metadata.uid] = await self._set_finalizer(one)
        return versions

    async def _set_finalizer(self, one: Finalizer) -> str:
        self._fenced()
        metadata = one.experiment.metadata
        body = {
            "apiVersion": EXPERIMENT.api_version,
            "kind": EXPERIMENT.kind,
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
                "finalizers": [FINALIZER] if one.present else [],
            },
        }
        try:
            applied = await self.cluster.apply(body, manager=FINALIZERS)
        except ApiError as error:
            if error.status not in {NOT_FOUND, CONFLICT}:
                raise
            return metadata.resource_version
        self.store.put(applied)
        return str(applied["metadata"].get("resourceVersion", ""))

    async def _remove(self, removal: Removal) -> None:
        self._fenced()
        await self.cluster.delete(BY_NAME[removal.kind], removal.ref, removal.uid)

    async def _write(self, write: StatusWrite, version: str | None = None) -> bool:
        """Write a status if the object is still as it was gathered; tell whether it was not put off.

        What has been deleted has no status any more.

        Args:
            write: What to write.
            version: The version that the object has by our own write of this pass, if there was one.
        """
        uid, now = write.resource.metadata.uid, time.monotonic()
        if write.minor and now - self._minor.get(uid, 0.0) < MINOR_EVERY:
            return False
        self._fenced()
        try:
            patch = status_patch(write.resource, write.status, version, write.stored)
            self.store.put(await self.cluster.apply_status(patch))
        except ApiError as error:
            if error.status == CONFLICT:
                raise ConflictError(
                    f"{type(write.resource).__name__} {write.resource.metadata.name}"
                ) from error
            if error.status != NOT_FOUND:
                raise
            return True
        if isinstance(write.resource, Experiment):
            self._minor[uid] = now
        if write.stored is None:
            self._show(write)
        return True

    def _show(self, write: StatusWrite) -> None:
        """Set the series of what was written."""
        resource, status = write.resource, write.status
        if isinstance(resource, Experiment):
            gauges.show_experiment(resource, status)  # type: ignore[arg-type]
        elif isinstance(resource, ModelVersion):
            model = Ref(resource.metadata.namespace, resource.spec.model_ref.name)
            gauges.show_version(model, resource, status)  # type: ignore[arg-type]
        elif isinstance(resource, Model):
            gauges.show_model(resource, status.champion, len(status.alerts))  # type: ignore[union-attr]

    def observe(self, experiments: Iterable[Experiment]) -> None:
        """Count each verdict that fell while we watched once, whether or not its write was answered."""
        for one in experiments:
            uid, decision = one.metadata.uid, one.status.decision
            gauges.show_alarm(one)
            if decision is None:
                self._undecided.add(uid)
            elif uid in self._undecided:
                self._undecided.discard(uid)
                self._minor.pop(uid, None)
                gauges.show_verdict(one, one.status)
                where = "/".join(one.metadata.ref)
                log.info("%s: %s, %s: %s", where, decision.verdict, decision.reason, decision.message)

    def forget(self, uid: str) -> None:
        """Keep nothing of an Experiment that is gone."""
        self._undecided.discard(uid)
        self._minor.pop(uid, None)

    def forget_model(self, ref: Ref) -> None:
        """Keep nothing of a Model that is gone: its namespace may go too, and come again empty."""
        self._unwatched = {
            k: known for k, known in self._unwatched.items() if k[1].namespace != ref.namespace
        }

    async def _post(self, event: Body) -> None:
        """Post an Event; the same one again is none, and one that is refused stops nothing."""
        self._fenced()
        try:
            await self.cluster.create(event)
        except NamespaceTerminating:
            raise
        except ApiError as error:
            log.warning("an Event was refused: %s", error)

    def _fenced(self) -> None:
        if not self.fence():
            raise NotLeaderError


def _key(child: Child) -> Key:
    return Key(child.manifest["kind"], child.manifest["metadata"]["name"])
