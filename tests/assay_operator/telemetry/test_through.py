"""From a real Prometheus through polls and reconciler to a verdict, and back again from its record."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from operated import CHURN, GUARD, World, two_versions

from assay_api import Experiment, Ref
from assay_operator.decide.replay import replay
from assay_operator.telemetry import ArmSummary, Summary
from assay_operator.telemetry.cached_sources import CachedSources
from assay_operator.telemetry.prometheus import Prometheus
from assay_stats import Moments

SUM = 'sum by (arm) (orders_total{arm="control"}) or 2 * sum by (arm) (orders_total{arm="boosted"})'
ASKED = {"count": "sum by (arm) (units_total)", "sum": SUM}
PRIMARY = {"name": "ordered", "source": "Prometheus", "prometheus": ASKED}
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


async def test_a_metric_of_prometheus_decides(world: World, prometheus: str) -> None:
    woken: asyncio.Queue[Ref] = asyncio.Queue()
    async with httpx.AsyncClient(timeout=10) as client:
        world.moment = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
        world.sources = CachedSources({"Prometheus": Prometheus(client, prometheus)}, woken.put_nowait)
        await two_versions(world)
        world.cluster.bodies.pop(("Experiment", "churn-2-g2"))
        world.restart()
        world.answers("churn-2")
        world.put("Experiment", "mine", spec=SPEC)
        await world.settle()
        world.moment += timedelta(minutes=1)
        uid = world.cluster.bodies["Experiment", "mine"]["metadata"]["uid"]
        world.outcomes.answers[uid] = counted(world)
        await world.reconcile(CHURN)
        async with asyncio.timeout(20):
            while world.status("Experiment", "mine")["phase"] != "Promoted":
                assert await woken.get() == CHURN
                await world.settle()
        await world.sources.close()
    experiment = Experiment.model_validate(world.cluster.bodies["Experiment", "mine"])
    assert experiment.status.decision
    assert experiment.status.decision.evidence
    numbers = experiment.status.decision.evidence.arms["boosted"].metrics["ordered"]
    assert numbers[:2] == (4100, 984)
    assert (replay(experiment).kind, replay(experiment).winner) == ("Promote", "churn-2")
