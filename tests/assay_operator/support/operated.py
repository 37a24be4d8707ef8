"""A Model's world in memory: an API server, gateways, a collector, a clock, and an operator that may die.

The operator is the real one; the rest answers as the real things do. A fuse may end the operator after any of
its effects on the world, as a kill would.
"""

import copy
import json
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from kstatus import judged, moved

from assay_api import Ref
from assay_api.names import mature, predictor_name
from assay_operator.composition import reconciler
from assay_operator.gateway import ModelRoute, Programmed
from assay_operator.kinds import Kind
from assay_operator.kube import ApiError, Body
from assay_operator.kube.store import Store
from assay_operator.kube.watch import WatchEvent
from assay_operator.reconcile.gather import Readers
from assay_operator.settings import Settings
from assay_operator.telemetry import ArmSummary, Summary
from assay_operator.telemetry.nop import DirectBakes, DirectCounts, NoOutcomes, NoSources
from assay_operator.telemetry.schemas import NoSchemas
from assay_operator.telemetry.studies import NoStudies
from assay_operator.xds.nop import NoGateways
from assay_stats import Moments

T = TypeVar("T")
CHURN = Ref("team", "churn")
GUARD = {"guardrails": [{"name": "errors", "margin": {"absolute": 0.02}}]}
TEMPLATE = {
    "ramp": [{"percent": 5}, {"percent": 50}],
    "metrics": {"primary": {"name": "right", "missing": "Ignore"}} | GUARD,
    "decision": {"minDuration": "10s", "maxDuration": "1d"},
}
ROLLOUT = {"strategy": "Experiment", "rollbackWindow": "1m", "experiment": TEMPLATE}
DATA = {"uri": "http://lake/churn.csv", "target": "churn", "key": "id"}


def merged(old: Any, new: Any) -> Any:
    return {**old, **{k: merged(old.get(k, {}), v) if isinstance(v, Mapping) else v for k, v in new.items()}}


class Killed(BaseException):
    """The operator is no more; nothing of ours may catch it."""


@dataclass
class Fuse:
    """Kills the operator right after so many more effects on the world; None is never."""

    left: int | None = None
    burnt: int = 0

    def burn(self) -> None:
        self.burnt += 1
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                self.left = None
                raise Killed


@dataclass
class Memory:
    """`Cluster` in memory; counts writes, so that a pass without news can be seen to write nothing."""

    fuse: Fuse = field(default_factory=Fuse)
    bodies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    born: Counter[tuple[str, str]] = field(default_factory=Counter)
    version: int = 0
    refuses: str = ""
    events: dict[str, Body] = field(default_factory=dict)

    def _keep(self, body: Body) -> Body:
        self.version += 1
        key = (body["kind"], body["metadata"]["name"])
        known = self.bodies.get(key) or self._new(key)
        self.bodies[key] = merged(known, body)
        if body["kind"] == "Deployment":
            self.bodies[key]["spec"].setdefault("replicas", 1)  # the API server's own default
        self.bodies[key]["metadata"] |= {
            "resourceVersion": str(self.version),
            "creationTimestamp": f"{self.version:09}",
        }
        self.writes[body["kind"]] += 1
        return self.bodies[key]

    def _new(self, key: tuple[str, str]) -> dict[str, Any]:
        """A name that comes again is another object."""
        self.born[key] += 1
        return {"metadata": {"uid": f"uid-{'-'.join(key).lower()}-{self.born[key]}", "generation": 1}}

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        return [b for (k, _), b in self.bodies.items() if k == kind.kind], self.version

    async def watch(self, kind: Kind, namespace: str | None, version: int) -> AsyncIterator[WatchEvent]:
        """Nothing happens but by the tests' own calls."""
        if kind is None:
            yield WatchEvent(version)

    async def get(self, kind: Kind, ref: Ref) -> Body | None:
        return self.bodies.get((kind.kind, ref.name))

    async def apply(self, manifest: Body, *, manager: str = "") -> Body:
        if manifest["kind"] == self.refuses:
            raise ApiError(403, "exceeded quota")
        self._pinned(manifest)
        return self._done(self._keep(manifest))

    async def apply_status(self, manifest: Body, *, manager: str = "") -> Body:
        key = (manifest["kind"], manifest["metadata"]["name"])
        if key not in self.bodies:
            raise ApiError(404, "gone")
        self._pinned(manifest)
        before = copy.deepcopy(self.bodies[key])
        self.bodies[key].pop("status", None)
        after = self._keep(manifest)
        assert judged(after).violations == (), f"{key}: {judged(after).violations}"
        assert not (steps := list(moved(before, after))), steps
        return self._done(after)

    def _pinned(self, manifest: Body) -> None:
        """An apply that names a uid or a version is of that very object, as it was then."""
        known = self.bodies.get((manifest["kind"], manifest["metadata"]["name"]))
        for pin in ("uid", "resourceVersion"):
            wanted = manifest["metadata"].get(pin)
            if wanted and (known is None or known["metadata"][pin] != wanted):
                raise ApiError(409, f"{pin} is another one")

    async def create(self, manifest: Body) -> Body | None:
        name = manifest["metadata"]["name"]
        if manifest["kind"] == "Event":
            self.events.setdefault(name, manifest)
            return self._done(None)
        return self._done(None if (manifest["kind"], name) in self.bodies else self._keep(manifest))

    async def secret(self, ref: Ref, key: str) -> str:
        raise ApiError(404, f"no key {key} of {ref}")

    async def delete(self, kind: Kind, ref: Ref, uid: str) -> None:
        known = self.bodies.get((kind.kind, ref.name))
        if known and known["metadata"]["uid"] == uid:
            del self.bodies[kind.kind, ref.name]
        self.fuse.burn()

    def _done(self, answer: T) -> T:
        """Answer, unless the operator dies before it hears the answer."""
        self.fuse.burn()
        return answer


class Gateways(NoGateways):
    """Gateways that take what is published, and confirm it when they like."""

    def __init__(self, fuse: Fuse) -> None:
        super().__init__()
        self.fuse, self.confirms = fuse, True

    async def publish(self, ref: Ref, route: ModelRoute | None) -> str:
        answer = await super().publish(ref, route)
        self.fuse.burn()
        return answer

    def programmed(self, ref: Ref) -> Programmed:
        return Programmed(done=self.confirms, gateways=1, message="1 gateway")


@dataclass
class Collector(NoOutcomes):
    """A collector that is told of Experiments by an operator who may die."""

    fuse: Fuse = field(default_factory=Fuse)

    async def define(self, uid: str, definition: Mapping[str, Any]) -> None:
        await super().define(uid, definition)
        self.fuse.burn()

    def answer(self, uid: str) -> Summary | None:
        """Nothing has come yet of what it was told to count."""
        found = super().answer(uid)
        return Summary() if found is None and uid in self.definitions else found


class World:
    """A cluster, an operator that may be restarted, and a clock."""

    def __init__(self) -> None:
        self.fuse = Fuse()
        self.cluster = Memory(self.fuse)
        self.gateways, self.outcomes = Gateways(self.fuse), Collector(fuse=self.fuse)
        self.sources: Any = NoSources()  # tests put their own here, and ask them what was asked of them
        self.studies: Any = NoStudies()
        self.schemas: Any = NoSchemas()
        self.changes: dict[str, Any] = {}
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.restart()

    def restart(self, **changes: Any) -> None:
        """Let an operator begin anew; `changes` are of the administrator's choices."""
        self.store = Store()
        self.watch()
        counts, bakes = DirectCounts(self.outcomes), DirectBakes(self.outcomes)
        readers = Readers(counts, bakes, self.sources, self.studies, self.gateways, self.schemas)
        self.changes |= changes
        settings = Settings(own_namespace="system", **self.changes)
        wired = reconciler(settings, self.cluster, self.store, self.outcomes, readers)
        self.reconcile = replace(wired, now=lambda: self.moment)

    def watch(self) -> None:
        """Let the watches bring what the operator did not hear the answer of."""
        for body in self.cluster.bodies.values():
            self.store.put(body)

    async def settle(self, *refs: Ref) -> None:
        """Look until nothing changes any more."""
        for _ in range(30):
            before = self.cluster.version
            for ref in refs or (CHURN,):
                await self.reconcile(ref)
            if self.cluster.version == before:
                return
        raise AssertionError("it never settles")

    def put(self, kind: str, name: str, **parts: Any) -> None:
        body = {
            "kind": kind,
            "metadata": {"name": name, "namespace": "team", **parts.pop("metadata", {})},
            **parts,
        }
        self.store.put(self.cluster._keep(body))

    def apply_model(self, generation: int, name: str = "churn", **source: Any) -> None:
        known = self.cluster.bodies.get(("Model", name), {})
        known.pop("spec", None)
        self.put("Model", name, metadata={"generation": generation}, spec={"rollout": ROLLOUT} | source)

    def answers(self, *versions: str) -> None:
        """Let the pods of these versions be ready."""
        for version in versions:
            service = {"kubernetes.io/service-name": predictor_name(version)}
            labels = {"assay.dev/model": version.rpartition("-")[0], "assay.dev/version": version} | service
            endpoint = {"addresses": [f"10.0.0.{version[-1]}"], "conditions": {"ready": True}}
            self.put(
                "EndpointSlice",
                f"{version}-x",
                metadata={"labels": labels},
                ports=[{"port": 3000}],
                endpoints=[endpoint],
            )

    def trained(self, version: str, report: dict[str, Any]) -> None:
        """Let the training Job end with these last words."""
        labels = {"assay.dev/model": "churn", "assay.dev/version": version, "assay.dev/role": "trainer"}
        end = {"name": "trainer", "state": {"terminated": {"exitCode": 0, "message": json.dumps(report)}}}
        self.put(
            "Pod", f"{version}-train-x", metadata={"labels": labels}, status={"containerStatuses": [end]}
        )
        done = {"conditions": [{"type": "Complete", "status": "True"}]}
        self.put("Job", f"{version}-train", status=done)

    def counted(self, name: str, control: tuple[int, int], candidate: tuple[int, int]) -> None:
        """Let the collector have counted (units, right predictions) of both arms."""
        uid = self.cluster.bodies["Experiment", name]["metadata"]["uid"]

        def arm(units: int, right: int) -> ArmSummary:
            settled = Moments.proportion(units, 0)
            found = Moments.proportion(units, right)  # outcomes come at once, so every unit is mature
            metrics = {"right": found, mature("right"): found, "errors": settled, "assay.settled": settled}
            return ArmSummary(units, units, metrics)

        self.outcomes.answers[uid] = Summary(
            {"control": arm(*control), "candidate": arm(*candidate)}, last_ingest=self.moment
        )

    def counted_arms(self, name: str, **arms: tuple[int, int, int]) -> None:
        """Let the collector have counted (units, right predictions, units with an error) of each arm."""
        uid = self.cluster.bodies["Experiment", name]["metadata"]["uid"]
        found = {
            arm: ArmSummary(
                units,
                units,
                {
                    "right": Moments.proportion(units, right),
                    mature("right"): Moments.proportion(units, right),
                    "errors": Moments.proportion(units, errors),
                    "assay.settled": Moments.proportion(units, 0),
                },
            )
            for arm, (units, right, errors) in arms.items()
        }
        self.outcomes.answers[uid] = Summary(found, last_ingest=self.moment)

    def status(self, kind: str, name: str) -> dict[str, Any]:
        status: dict[str, Any] = self.cluster.bodies[kind, name].get("status", {})
        return status

    def condition(self, kind: str, name: str, of: str) -> tuple[str, str]:
        found = next(c for c in self.status(kind, name)["conditions"] if c["type"] == of)
        return found["status"], found["reason"]


REPORT = {
    "ok": True,
    "passed": True,
    "artifact": {"uri": "file:///a", "digest": "sha256:" + "0" * 64},
    "gates": [],
}


async def two_versions(world: World, model: str = "churn", **spec: Any) -> None:
    """A Model with a champion, and an Experiment that waits for the pods of the second version."""
    ref = Ref("team", model)
    world.apply_model(1, model, image={"image": "one"}, **spec)
    await world.settle(ref)
    world.answers(f"{model}-1")
    await world.settle(ref)
    world.apply_model(2, model, image={"image": "two"}, **spec)
    await world.settle(ref)
