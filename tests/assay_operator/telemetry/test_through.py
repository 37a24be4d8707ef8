"""From a real Prometheus through polls and reconciler to a verdict, and back again from its record."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from operated import CHURN, GUARD, World, two_versions

from assay_api import Experiment, Ref
from assay_operator.decide.replay import replay
from assay_operator.telemetry import ArmSummary, Summary
from assay_operator.telemetry.cached_sources import CachedSources
from assay_operator.telemetry.http import http
from assay_operator.telemetry.prometheus import Prometheus
from assay_stats import Moments

SUM = 'sum by (arm) (orders_total{arm="control"}) or 2 * sum by (arm) (orders_total{arm="boosted"})'
QUERIES = {"count": "sum by (arm) (units_total)", "sum": SUM}
PRIMARY = {"name": "ordered", "source": "Prometheus", "prometheus": QUERIES}
SPEC: dict[str, Any] = {
    "modelRef": {"name": "churn"},
    "arms": [
        {"name": a, "version": f"churn-{i}", "weight": 50} for i, a in enumerate(("control", "boosted"), 1)
    ],
    "ramp": [{"percent": 50}],
    "metrics": {"primary": PRIMARY, **GUARD},
    "decision": {"minDuration": "10s", "maxDuration": "1h"},
}


def counted(world: World) -> Summary:
    """What the collector says meanwhile: the split is right, and nobody has had an error."""
    fine = Moments.proportion(4000, 0)
    arm = ArmSummary(4000, 4000, {"errors": fine, "assay.settled": fine})
    return Summary({"control": arm, "boosted": arm}, last_ingest=world.moment)


@asynccontextmanager
async def running(world: World, prometheus: str, **queries: str) -> AsyncIterator[asyncio.Queue[Ref]]:
    """An Experiment that has run for a minute, and asks a real Prometheus; who is woken by it."""
    woken: asyncio.Queue[Ref] = asyncio.Queue()
    async with http() as client:
        world.moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        world.sources = CachedSources({"Prometheus": Prometheus(client, prometheus)}, woken.put_nowait)
        await two_versions(world)
        world.cluster.bodies.pop(("Experiment", "churn-2-g2"))
        world.restart()
        world.answers("churn-2")
        primary = PRIMARY | {"prometheus": QUERIES | queries}
        world.put("Experiment", "mine", spec=SPEC | {"metrics": {"primary": primary, **GUARD}})
        await world.settle()
        world.moment += timedelta(minutes=1)
        uid = world.cluster.bodies["Experiment", "mine"]["metadata"]["uid"]
        world.outcomes.answers[uid] = counted(world)
        await world.reconcile(CHURN)
        yield woken
        await world.sources.close()


async def test_a_metric_of_prometheus_decides(world: World, prometheus: str) -> None:
    async with running(world, prometheus) as woken, asyncio.timeout(20):
        while world.status("Experiment", "mine")["phase"] != "Promoted":
            assert await woken.get() == CHURN
            await world.settle()
    experiment = Experiment.model_validate(world.cluster.bodies["Experiment", "mine"])
    assert experiment.status.decision
    assert experiment.status.decision.evidence
    numbers = experiment.status.decision.evidence.arms["boosted"].metrics["ordered"]
    assert numbers[:2] == (4100, 984)
    assert (replay(experiment).kind, replay(experiment).winner) == ("Promote", "churn-2")


@pytest.mark.parametrize(
    ("queries", "reason", "words"),
    [
        pytest.param(
            {"sum": 'sum by (arm) (orders_total{arm="boosted"})'},
            "NoData",
            "sum has no number of arm control",
            id="the control's series is lost, which would be a win",
        ),
        pytest.param(
            {"sum": 'sum by (arm) (orders_total{arm="control"})'},
            "NoData",
            "sum has no number of arm boosted",
            id="the candidate's series is lost, which would be its ruin",
        ),
        pytest.param(
            {"sum": "sum by (arm) (orders_total) / 0"},
            "NoData",
            "sum has no number of arm boosted",
            id="infinite",
        ),
        pytest.param(
            {"sum": "-sum by (arm) (orders_total)"},
            "SourceError",
            "is not a number of events",
            id="less than none",
        ),
    ],
)
async def test_a_number_that_is_lost_or_impossible_decides_nothing(
    world: World, prometheus: str, queries: dict[str, str], reason: str, words: str
) -> None:
    async with running(world, prometheus, **queries) as woken, asyncio.timeout(20):
        while words not in world.status("Experiment", "mine")["checks"]["sources"]:
            assert await woken.get() == CHURN
            world.restart()  # numbers alone are written now and then
            await world.settle()
    status = world.status("Experiment", "mine")
    assert status["phase"] == "Running"
    assert "decision" not in status
    assert world.condition("Experiment", "mine", "Progressing")[1] == reason
    assert world.status("Model", "churn")["champion"] == "churn-1"
