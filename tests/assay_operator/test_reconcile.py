"""One Model's life against an API server in memory: every pass may be repeated, a restart changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from operated import CHURN, DATA, GUARD, REPORT, World, two_versions

from assay_operator.composition import Acting, Switch
from assay_operator.handlers.alerts import AlertmanagerWebhook
from assay_operator.handlers.triggers import Triggers
from assay_operator.handlers.web import application
from assay_operator.plan.world import Key
from assay_operator.reconcile.queue import WorkQueue
from assay_operator.settings import Settings
from assay_operator.telemetry.cached_sources import CachedSources
from assay_operator.telemetry.counts import CountsReader


async def test_a_version_is_trained_judged_served_and_crowned(world: World) -> None:
    world.apply_model(1, training={"data": DATA})
    await world.settle()
    assert ("Job", "churn-1-train") in world.cluster.bodies
    assert ("Deployment", "churn-1--predictor") not in world.cluster.bodies, "nothing serves before it passed"
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
    assert world.cluster.bodies["Deployment", "churn-1--predictor"]["spec"]["replicas"] == 1, (
        "warm for its window"
    )
    world.moment += timedelta(minutes=2)
    await world.settle()
    assert world.cluster.bodies["Deployment", "churn-1--predictor"]["spec"]["replicas"] == 0


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
    assert world.condition("ModelVersion", "churn-3", "Ready") == ("Unknown", "ChildRefused")
    assert world.status("Model", "churn")["champion"] == "churn-1"


async def test_an_experiment_without_its_model_says_so(world: World) -> None:
    arms = [{"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "b"), 1)]
    world.put("Experiment", "lonely", spec={"modelRef": {"name": "churn"}, "arms": arms, "metrics": GUARD})
    await world.settle()
    assert world.condition("Experiment", "lonely", "Progressing") == ("True", "ModelNotFound")


@asynccontextmanager
async def webhook(
    world: World, tokens: Callable[[], Sequence[bytes]] = lambda: [b"secret"]
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the operator's own port, while its queue is served."""
    queue, switch = WorkQueue(world.reconcile), Switch()
    serving = asyncio.create_task(queue.run())
    counts, sources = CountsReader(world.outcomes, queue.add), CachedSources({}, queue.add)
    switch.acting = Acting(queue, world.reconcile, counts, sources)
    triggers = Triggers(world.cluster, world.store, switch)
    alerts = AlertmanagerWebhook(switch, world.store, tokens)
    transport = httpx.ASGITransport(app=application(triggers, alerts))
    head = {"authorization": "Bearer secret"}
    async with httpx.AsyncClient(transport=transport, base_url="http://operator", headers=head) as client:
        yield client
    serving.cancel()


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
    async with webhook(world) as client:
        answer = await client.post("/v1/alerts", json=body, headers=head)
    assert (answer.status_code, words in answer.text) == (code, True), answer.text


async def test_an_alert_is_written_once_and_its_end_takes_it_away(world: World) -> None:
    await two_versions(world)
    async with webhook(world) as client:
        for _ in range(3):
            await client.post("/v1/alerts", json={"alerts": [alert(arm="candidate|control")]})
        writes = world.cluster.writes["Model"]
        (known,) = world.store.objects(CHURN)[Key("Model", "churn")]["status"]["alerts"]
        assert (known["name"], known["arms"]) == ("Drift", ["candidate", "control"])
        await client.post("/v1/alerts", json={"alerts": [alert(arm="candidate|control")]})
        assert world.cluster.writes["Model"] == writes
        await client.post("/v1/alerts", json={"alerts": [alert("resolved", arm="candidate|control")]})
    assert world.store.objects(CHURN)[Key("Model", "churn")]["status"]["alerts"] == []


@pytest.mark.parametrize(
    ("content", "statuses"),
    [
        pytest.param("secret\n", (404, 401), id="one"),
        pytest.param("secret\nfresh", (404, 404), id="the old and the new one"),
        pytest.param("fresh", (401, 404), id="the new one"),
        pytest.param("\n", (401, 401), id="none"),
    ],
)
async def test_alerts_may_show_any_token_of_the_file(
    world: World, tmp_path: Path, content: str, statuses: tuple[int, int]
) -> None:
    (tmp_path / "webhook").write_text(content)
    settings = Settings(tokens_dir=tmp_path)
    async with webhook(world, lambda: settings.tokens("webhook")) as client:
        for token, status in zip(("secret", "fresh"), statuses, strict=True):
            headers = {"authorization": f"Bearer {token}"}
            assert (
                await client.post("/v1/alerts", json={"alerts": [alert()]}, headers=headers)
            ).status_code == status
        anonymous = await client.post("/v1/alerts", json={"alerts": []}, headers={"authorization": "Bearer "})
        assert anonymous.status_code == 401


async def test_health_needs_a_sweep_now_and_then(world: World) -> None:
    switch = Switch()
    triggers = Triggers(world.cluster, world.store, switch)
    alerts = AlertmanagerWebhook(switch, world.store, lambda: [b"secret"])
    transport = httpx.ASGITransport(app=application(triggers, alerts))
    async with httpx.AsyncClient(transport=transport, base_url="http://operator") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert "assay_reconcile_duration_seconds" in (await client.get("/metrics")).text
        triggers.last_sweep -= 181
        assert (await client.get("/healthz")).status_code == 500
