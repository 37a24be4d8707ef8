"""Processes die, and nobody notices: same end, no lost request, no lost or doubled outcome."""

import asyncio
import json
import time
from typing import Any

import pytest
from cluster_fixture import SYSTEM, Json, wait
from namespace_fixture import ERRORS, NamespaceFixture

SAFE_AND_SOON = {
    "ramp": [{"percent": 50}],
    "metrics": {"guardrails": [ERRORS]},
    "decision": {"minDuration": "1s", "maxDuration": "20m"},
}
TRAINED = {
    "training": {
        "data": {"uri": "http://lake.lake/data/churn.csv", "target": "churn", "key": "customer_id"},
        "features": {"numeric": ["account_length", "total_day_minutes"]},
        "algorithms": ["LogisticRegression"],
        "tuning": {"trials": 1},
    }
}


async def test_no_request_is_lost_by_steps_restarts_and_a_promotion(ns: NamespaceFixture) -> None:
    """Steady load through the Service while operator and collector are killed and gateways are replaced."""
    ns.cluster.apply(ns.model("plain"))
    await asyncio.to_thread(ns.champion, "churn-1")
    template = {
        "ramp": [{"percent": p, "minDuration": "4s"} for p in (5, 20, 50)],
        "metrics": {"guardrails": [ERRORS]},
        "decision": {"minDuration": "30s", "maxDuration": "20m"},
    }
    rollout = {"strategy": "Experiment", "rollbackWindow": "5s", "experiment": template}
    ns.cluster.apply(ns.model("boosted", rollout=rollout))
    async with ns.users() as traffic:
        await asyncio.to_thread(ns.running, "churn-2-g2")
        ns.cluster.kill("operator", "operator")
        await traffic.more(150)
        await asyncio.to_thread(ns.cluster.back, "operator")
        ns.cluster.kill("collector", "collector")
        restart = ("rollout", "restart", "-n", SYSTEM, "deployment/assay-gateway")
        await asyncio.to_thread(ns.cluster.kubectl, *restart)
        done = ("rollout", "status", "-n", SYSTEM, "deployment/assay-gateway", "--timeout=120s")
        await asyncio.to_thread(ns.cluster.kubectl, *done)
        await traffic.more(150)
        await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", "Promoted", patience=180)
        await asyncio.to_thread(ns.champion, "churn-2")
        await traffic.more(500)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert traffic.ledger.moves_until(0) == []


def jobs(ns: NamespaceFixture) -> list[str]:
    return [j["metadata"]["uid"] for j in ns.cluster.all("jobs", ns.name)]


@pytest.mark.parametrize("phase", ["asked", "training", "trained"])
def test_an_operator_killed_while_a_version_is_made_trains_it_once(ns: NamespaceFixture, phase: str) -> None:
    """One Job, one version, the same champion."""
    ns.cluster.apply(ns.model(TRAINED))
    if phase != "asked":
        wait(lambda: jobs(ns), 30)
    if phase == "trained":
        finished = (
            "wait",
            "--for=condition=Complete",
            "job",
            "--all",
            "-n",
            ns.name,
            "--timeout=120s",
        )
        ns.cluster.kubectl(*finished)
    ns.cluster.kill("operator", "operator")
    ns.cluster.back("operator")
    ns.champion("churn-1", patience=120)
    assert len(jobs(ns)) == 1
    assert [v["metadata"]["name"] for v in ns.cluster.all("amv", ns.name)] == ["churn-1"]


@pytest.mark.parametrize("end", ["Promoted", "RolledBack"])
async def test_an_operator_killed_as_the_verdict_falls_comes_to_the_same_end(
    ns: NamespaceFixture, end: str
) -> None:
    """Killed as soon as the verdict can be read, and again as it comes back: one verdict, one Event of it."""
    await asyncio.to_thread(ns.challenged, "boosted" if end == "Promoted" else "faulty", SAFE_AND_SOON)
    async with ns.users() as traffic:
        decided = await asyncio.to_thread(
            ns.cluster.until, "aexp", "churn-2-g2", ns.name, lambda s: s.get("decision"), 120
        )
        for _ in range(2):
            ns.cluster.kill("operator", "operator")
            await traffic.more(50)
            await asyncio.to_thread(ns.cluster.back, "operator")
        winner = "churn-2" if end == "Promoted" else "churn-1"
        await asyncio.to_thread(ns.champion, winner)
        status = await asyncio.to_thread(ns.experiment_phase, "churn-2-g2", end)
        moment = time.time()
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"] == decided["decision"]
    assert {a.version for a in traffic.since(moment)} == {winner}
    verdict = _condition(status, "Progressing")
    reasons = [reason for reason, _ in ns.cluster.events("churn-2-g2", ns.name)]
    assert reasons.count(verdict["reason"]) <= 1


def _condition(status: Json, of: str) -> Json:
    return next(c for c in status["conditions"] if c["type"] == of)


async def test_a_collector_killed_during_ingest_loses_and_doubles_nothing(ns: NamespaceFixture) -> None:
    """Every acknowledged outcome counts exactly once, and every exposure that was answered."""
    primary: dict[str, Any] = {"name": "bought", "missing": "Ignore"}
    decision = {"minDuration": "1h", "maxDuration": "2h"}
    ns.cluster.apply(ns.experiment(*ns.two_versions(), metrics={"primary": primary}, decision=decision))
    await asyncio.to_thread(ns.running)
    acknowledged: dict[str | None, float] = {}
    async with ns.users() as traffic:
        for turn in range(6):
            await traffic.more(100)
            batch: list[dict[str, Any]] = [
                {
                    "model": f"{ns.name}/churn",
                    "unit": a.unit,
                    "metric": "bought",
                    "value": 1,
                    "id": f"o-{a.unit}",
                }
                for a in traffic.answers
                if a.enrolled and a.unit not in acknowledged
            ]
            if turn in {1, 3, 5}:
                ns.cluster.kill("collector", "collector")
            await asyncio.to_thread(_deliver, ns, batch)
            acknowledged |= {o["unit"]: 1.0 for o in batch}
            await asyncio.to_thread(ns.cluster.back, "collector")
    units = {a.unit for a in traffic.answers if a.enrolled}

    def counted() -> bool:
        try:
            summary = ns.collector(f"/v1/experiments/{ns.uid()}/summary", "operator")
        except OSError:
            return False
        arms = summary["arms"].values()
        counts.update(units=sum(a["units"] for a in arms), n=sum(a["metrics"]["bought"]["n"] for a in arms))
        return counts == {"units": len(units), "n": len(acknowledged)}

    counts: dict[str, int] = {}
    await asyncio.to_thread(
        wait, counted, 60, state=lambda: json.dumps(counts) + f" wanted {len(units)}, {len(acknowledged)}"
    )


def _deliver(ns: NamespaceFixture, batch: list[dict[str, Any]]) -> None:
    """Send until acknowledged, as an application would: the ids make that safe."""

    def sent() -> bool:
        try:
            ns.collector("/v1/outcomes", "application", batch)
        except OSError as error:
            errors.append(str(error))
            return False
        return True

    errors: list[str] = []
    if batch:
        wait(sent, 120, state=lambda: errors[-1:])
