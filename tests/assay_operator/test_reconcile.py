"""One Model's life against an API server in memory: every pass may be repeated, a restart changes nothing."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from assay_api import Ref
from assay_operator.handlers.alerts import AlertDesk
from assay_operator.handlers.triggers import Triggers
from assay_operator.handlers.web import application
from assay_operator.kube import Body, Kind, Refused
from assay_operator.kube.store import Store
from assay_operator.main import reconciler
from assay_operator.reconcile import hands
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.settings import Settings
from assay_operator.telemetry import ArmSummary, Summary
from assay_operator.telemetry.nop import NoOutcomes
from assay_operator.xds.nop import NoGateways
from assay_stats import Moments

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


@dataclass
class Memory:
    """`Cluster` in memory; counts writes, so that a pass without news can be seen to write nothing."""

    bodies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    version: int = 0
    refuses: str = ""

    def _keep(self, body: Body) -> Body:
        self.version += 1
        key = (body["kind"], body["metadata"]["name"])
        known = self.bodies.get(key, {"metadata": {"uid": f"uid-{self.version}", "generation": 1}})
        self.bodies[key] = merged(known, body)
        self.bodies[key]["metadata"] |= {
            "resourceVersion": str(self.version),
            "creationTimestamp": f"{self.version:09}",
        }
        self.writes[body["kind"]] += 1
        return self.bodies[key]

    async def listed(self, kind: Kind) -> tuple[list[Body], int]:
        return [b for (k, _), b in self.bodies.items() if k == kind.kind], self.version

    async def apply(self, manifest: Body) -> Body:
        if manifest["kind"] == self.refuses:
            raise Refused(403, "exceeded quota")
        return self._keep(manifest)

    async def apply_status(self, manifest: Body, *, manager: str = "") -> Body:
        known = self.bodies[manifest["kind"], manifest["metadata"]["name"]]
        mine = {"alerts"} if manager == "assay-alerts" else set(known.get("status", {})) - {"alerts"}
        known["status"] = {k: v for k, v in known.get("status", {}).items() if k not in mine}
        return self._keep(manifest)

    async def create(self, manifest: Body) -> Body | None:
        if manifest["kind"] == "Event":
            return None
        return (
            None if (manifest["kind"], manifest["metadata"]["name"]) in self.bodies else self._keep(manifest)
        )

    async def delete(self, kind: Kind, ref: Ref) -> None:
        self.bodies.pop((kind.kind, ref.name), None)


class World:
    """A cluster, an operator that may be restarted, and a clock."""

    def __init__(self) -> None:
        self.cluster = Memory()
        self.gateways, self.outcomes = NoGateways(), NoOutcomes()
        self.moment = datetime(2026, 1, 1, tzinfo=UTC)
        self.restart()

    def restart(self) -> None:
        self.store = Store()
        for body in self.cluster.bodies.values():
            self.store.put(body)
        made = reconciler(
            Settings(own_namespace="system"), self.cluster, self.store, self.outcomes, self.gateways
        )
        now = hands.Hands(self.cluster, self.store, lambda: self.moment)
        self.reconcile = made
        for part in (made, made.versions, made.experiments):
            object.__setattr__(part, "hands", now)

    async def settle(self) -> None:
        """Look until nothing changes any more."""
        for _ in range(30):
            before = self.cluster.version
            await self.reconcile(CHURN)
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

    def apply_model(self, generation: int, **source: Any) -> None:
        self.cluster.bodies.pop(("Model", "churn"), None) if generation == 1 else None
        known = self.cluster.bodies.get(("Model", "churn"), {})
        known.pop("spec", None)
        self.put("Model", "churn", metadata={"generation": generation}, spec={"rollout": ROLLOUT} | source)

    def answers(self, *versions: str) -> None:
        """Let the pods of these versions be ready."""
        for version in versions:
            labels = {"assay.dev/model": "churn", "assay.dev/version": version}
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
            return ArmSummary(
                units,
                units,
                {"right": Moments.proportion(units, right), "errors": settled, "assay.settled": settled},
            )

        self.outcomes.answers[uid] = Summary(
            {"control": arm(*control), "candidate": arm(*candidate)}, last_ingest=self.moment
        )

    def status(self, kind: str, name: str) -> dict[str, Any]:
        return self.cluster.bodies[kind, name].get("status", {})

    def condition(self, kind: str, name: str, of: str) -> tuple[str, str]:
        found = next(c for c in self.status(kind, name)["conditions"] if c["type"] == of)
        return found["status"], found["reason"]


@pytest.fixture
def world() -> World:
    return World()


REPORT = {
    "ok": True,
    "passed": True,
    "artifact": {"uri": "file:///a", "digest": "sha256:" + "0" * 64},
    "gates": [],
}


async def two_versions(world: World) -> None:
    world.apply_model(1, image={"image": "one"})
    await world.settle()
    world.answers("churn-1")
    await world.settle()
    world.apply_model(2, image={"image": "two"})
    await world.settle()


async def test_a_version_is_trained_judged_served_and_crowned(world: World) -> None:
    world.apply_model(1, training={"data": DATA})
    await world.settle()
    assert ("Job", "churn-1-train") in world.cluster.bodies
    assert ("Deployment", "churn-1-predictor") not in world.cluster.bodies, "nothing serves before it passed"
    world.trained("churn-1", REPORT)
    await world.settle()
    assert world.condition("ModelVersion", "churn-1", "Ready") == ("True", "GatesPassed")
    assert world.status("Model", "churn")["champion"] == "", "nobody reigns before its pods answer"
    world.answers("churn-1")
    await world.settle()
    assert world.status("Model", "churn")["champion"] == "churn-1"
    assert world.condition("Model", "churn", "Ready") == ("True", "Serving")


@pytest.mark.parametrize("restarts", [0, 3])
async def test_a_pass_without_news_writes_nothing_even_after_a_restart(world: World, restarts: int) -> None:
    await two_versions(world)
    before = dict(world.cluster.writes)
    for turn in range(3):
        if turn < restarts:
            world.restart()
        await world.reconcile(CHURN)
    assert dict(world.cluster.writes) == before


async def test_a_rejected_version_leaves_the_champion_alone(world: World) -> None:
    await two_versions(world)
    world.apply_model(3, training={"data": DATA}, gates=[{"metric": "rocAuc", "min": 0.9}])
    await world.settle()
    gate = {
        "metric": "rocAuc",
        "rule": "min 0.9",
        "value": 0.8,
        "passed": False,
        "message": "rocAuc 0.8 < 0.9",
    }
    world.trained("churn-3", REPORT | {"passed": False, "gates": [gate]})
    await world.settle()
    assert world.condition("ModelVersion", "churn-3", "Ready") == ("False", "GateFailed")
    assert world.condition("Model", "churn", "Degraded") == ("True", "GateFailed")
    assert world.status("Model", "churn")["champion"] == "churn-1"
    assert world.cluster.writes["Job"] == 2, "one apply and one end, never a second Job"


async def test_a_winner_is_promoted_and_its_route_replaces_the_split(world: World) -> None:
    await two_versions(world)
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Pending"
    assert world.gateways.routes[CHURN].split is None, "no unit before the pods answer"
    world.answers("churn-2")
    await world.settle()
    split = world.gateways.routes[CHURN].split
    assert split is not None
    assert [i.width for i in split.table] == [500, 500]
    world.moment += timedelta(seconds=20)
    world.counted("churn-2-g2", (5000, 4000), (5000, 4400))
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Promoted"
    assert world.status("Model", "churn")["champion"] == "churn-2"
    route = world.gateways.routes[CHURN]
    assert (route.champion.version, route.split) == ("churn-2", None)
    assert world.cluster.bodies["Deployment", "churn-1-predictor"]["spec"]["replicas"] == 1, (
        "warm for its window"
    )
    world.moment += timedelta(minutes=2)
    await world.settle()
    assert world.cluster.bodies["Deployment", "churn-1-predictor"]["spec"]["replicas"] == 0


async def test_a_newer_version_ends_the_running_experiment_and_starts_over(world: World) -> None:
    await two_versions(world)
    world.answers("churn-2")
    await world.settle()
    world.apply_model(3, image={"image": "three"})
    await world.settle()
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"
    assert world.status("Experiment", "churn-3-g3")["phase"] == "Pending"
    world.answers("churn-3")
    await world.settle()
    split = world.gateways.routes[CHURN].split
    assert split is not None
    assert split.uid == world.cluster.bodies["Experiment", "churn-3-g3"]["metadata"]["uid"]


async def test_going_back_to_the_champion_starts_nothing(world: World) -> None:
    await two_versions(world)
    world.apply_model(3, image={"image": "one"})
    await world.settle()
    names = {name for kind, name in world.cluster.bodies if kind in {"Experiment", "ModelVersion"}}
    assert names == {"churn-1", "churn-2", "churn-2-g2"}
    assert world.status("Experiment", "churn-2-g2")["phase"] == "Aborted"


async def test_a_collector_that_is_silent_before_the_start_means_no_traffic(world: World) -> None:
    await two_versions(world)
    world.outcomes.fault = "connection refused"
    world.answers("churn-2")
    await world.settle()
    assert world.condition("Experiment", "churn-2-g2", "Progressing") == ("True", "CollectorUnreachable")
    assert world.gateways.routes[CHURN].split is None


async def test_a_quota_that_forbids_training_is_said_and_nothing_else_breaks(world: World) -> None:
    await two_versions(world)
    world.cluster.refuses = "Job"
    world.apply_model(3, training={"data": DATA})
    await world.settle()
    assert world.condition("ModelVersion", "churn-3", "Ready") == ("Unknown", "NotAllowed")
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def test_an_experiment_without_its_model_says_so(world: World) -> None:
    arms = [{"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "b"), 1)]
    world.put("Experiment", "lonely", spec={"modelRef": {"name": "churn"}, "arms": arms, "metrics": GUARD})
    await world.settle()
    assert world.condition("Experiment", "lonely", "Progressing") == ("True", "ModelNotFound")


def desk(world: World, queue: WorkQueue[Ref]) -> httpx.AsyncClient:
    """Return a client of the operator's own port."""
    triggers = Triggers(world.cluster, world.store, queue, world.gateways)
    alerts = AlertDesk(world.cluster, world.store, queue, lambda: "secret")
    transport = httpx.ASGITransport(app=application(triggers, alerts))
    return httpx.AsyncClient(
        transport=transport, base_url="http://operator", headers={"authorization": "Bearer secret"}
    )


def alert(status: str = "firing", **labels: str) -> dict[str, Any]:
    named = {"alertname": "Drift", "namespace": "team", "model": "churn"} | labels
    return {
        "status": status,
        "labels": named,
        "startsAt": "2026-01-01T00:00:00Z",
        "fingerprint": repr(labels),
    }


@pytest.mark.parametrize(
    ("body", "head", "code", "words"),
    [
        pytest.param({"alerts": [alert()]}, {}, 200, "accepted", id="an alert on the Model"),
        pytest.param({"alerts": [alert()]}, {"authorization": "Bearer x"}, 401, "token", id="a wrong token"),
        pytest.param({"alerts": [alert()]}, {"authorization": ""}, 401, "token", id="no token"),
        pytest.param({"alerts": [alert(model="ghost")]}, {}, 404, "ghost", id="a Model that does not exist"),
        pytest.param({"alerts": [{"status": "firing"}]}, {}, 400, "labels", id="no alert at all"),
        pytest.param([], {}, 400, "webhook", id="not even an object"),
    ],
)
async def test_the_webhook_answers(
    world: World, body: Any, head: dict[str, str], code: int, words: str
) -> None:
    await two_versions(world)
    async with desk(world, WorkQueue(world.reconcile)) as client:
        answer = await client.post("/v1/alerts", json=body, headers=head)
    assert (answer.status_code, words in answer.text) == (code, True), answer.text


async def test_an_alert_is_written_once_and_its_end_takes_it_away(world: World) -> None:
    await two_versions(world)
    async with desk(world, WorkQueue(world.reconcile)) as client:
        for _ in range(3):
            await client.post("/v1/alerts", json={"alerts": [alert(arm="candidate|control")]})
        writes = world.cluster.writes["Model"]
        (known,) = world.store.family(CHURN)["Model", "churn"]["status"]["alerts"]
        assert (known["name"], known["arms"]) == ("Drift", ["candidate", "control"])
        await client.post("/v1/alerts", json={"alerts": [alert(arm="candidate|control")]})
        assert world.cluster.writes["Model"] == writes
        await client.post("/v1/alerts", json={"alerts": [alert("resolved", arm="candidate|control")]})
    assert world.store.family(CHURN)["Model", "churn"]["status"]["alerts"] == []


async def test_health_needs_a_sweep_now_and_then(world: World) -> None:
    queue = WorkQueue(world.reconcile)
    triggers = Triggers(world.cluster, world.store, queue, world.gateways)
    desk = AlertDesk(world.cluster, world.store, queue, lambda: "secret")
    transport = httpx.ASGITransport(app=application(triggers, desk))
    async with httpx.AsyncClient(transport=transport, base_url="http://operator") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert "assay_api_requests_total" in (await client.get("/metrics")).text
        triggers.last_sweep -= 181
        assert (await client.get("/healthz")).status_code == 500
