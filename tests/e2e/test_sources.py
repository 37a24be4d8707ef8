"""Metrics that others count: a Prometheus and a PostgreSQL that fail in every way, and then decide.

Nothing that they do is a failure of an arm: it holds and says why, and goes on when they are back.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster_fixture import ClusterFixture, Json, wait
from namespace_fixture import ERRORS, NamespaceFixture
from outside import WAREHOUSE_SECRET, Prometheus, Shop, Warehouse, services

TABLE = 'shop_{}_total{{experiment="$uid"}}'
ORDERED = {
    "name": "ordered",
    "source": "Prometheus",
    "prometheus": {
        "count": f"sum by (arm) ({TABLE.format('visitors')})",
        "sum": f"sum by (arm) ({TABLE.format('orders')})",
        "every": "5s",
    },
}
REFUNDED: dict[str, Any] = {
    "name": "refunded",
    "source": "SQL",
    "margin": {"absolute": 0.02},
    "sql": {
        "urlSecretRef": {"name": WAREHOUSE_SECRET, "key": "url"},
        "every": "5s",
        "query": "SELECT arm, count(*) AS n, sum(refunded) AS sum FROM refunds "
        "WHERE experiment = :uid GROUP BY arm",
    },
}
RAMP = [{"percent": 20}, {"percent": 50}]
DECISION = {"minDuration": "1s", "maxDuration": "30m"}


@pytest.fixture(scope="module")
def outside(cluster: ClusterFixture) -> ClusterFixture:
    """The cluster, in which the servers have names."""
    cluster.apply(*services())
    return cluster


@pytest.fixture
def shop(outside: ClusterFixture) -> Iterator[Shop]:
    opened = Shop(outside)
    yield opened
    opened.close()


@pytest.fixture
def prometheus(outside: ClusterFixture, tmp_path: Path) -> Iterator[Prometheus]:
    """One that has not been started."""
    server = Prometheus(outside, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def warehouse(outside: ClusterFixture) -> Iterator[Warehouse]:
    server = Warehouse(outside)
    yield server
    server.close()


def secret(ns: NamespaceFixture, url: str) -> None:
    metadata = {"name": WAREHOUSE_SECRET, "namespace": ns.name}
    ns.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"url": url}})


async def holds(ns: NamespaceFixture, reason: str, words: str) -> None:
    """Wait until it waits for this reason, and see that nothing else has come of it."""

    def says(status: Json) -> bool:
        progressing: Json = next((c for c in status.get("conditions", []) if c["type"] == "Progressing"), {})
        return progressing.get("reason") == reason and bool(re.search(words, progressing["message"]))

    status = await asyncio.to_thread(ns.cluster.until, "aexp", "exp", ns.name, says, 60)
    assert (status["phase"], status.get("step", 0)) == ("Running", 0)
    assert "decision" not in status
    assert status["checks"]["sources"].startswith(f"{words.split(':', maxsplit=1)[0]}: {reason}, ")
    champion = await asyncio.to_thread(ns.cluster.status, "amodel", "churn", ns.name)
    assert champion["champion"] == "churn-1"


async def test_a_primary_of_prometheus_holds_while_it_has_no_numbers_and_then_decides(
    ns: NamespaceFixture, shop: Shop, prometheus: Prometheus
) -> None:
    """Away, empty, not a number, too slow, out of order; with the numbers of a winner it is promoted."""
    metrics = {"primary": ORDERED, "guardrails": [ERRORS]}
    versions = await asyncio.to_thread(ns.two_versions)
    ns.cluster.apply(ns.experiment(*versions, ramp=RAMP, metrics=metrics, decision=DECISION))
    await asyncio.to_thread(ns.running)
    shop.experiment = ns.uid()
    async with ns.users() as traffic:
        await holds(ns, "MetricUnavailable", "ordered: Prometheus does not answer")
        await asyncio.to_thread(prometheus.start)
        await holds(ns, "NoData", "ordered: Prometheus has no data of any arm")
        shop.counts = {arm: ("NaN", "NaN") for arm in ("control", "candidate")}
        await asyncio.to_thread(wait, lambda: prometheus.values("shop_visitors_total") == ["NaN", "NaN"], 30)
        await asyncio.to_thread(queried_again, ns.cluster)
        await holds(ns, "NoData", "ordered: Prometheus has no data of any arm")
        with prometheus.frozen():
            await holds(ns, "MetricUnavailable", "ordered: Prometheus does not answer: no answer within 10 s")
        await holds(ns, "NoData", "ordered")
        with prometheus.out_of_order():
            await holds(ns, "MetricUnavailable", "ordered: Prometheus says 503")
        shop.counts = {"control": ("4000", "400"), "candidate": ("4000", "800")}
        status = await asyncio.to_thread(ns.experiment_phase, "exp", "Promoted", patience=180)
        await asyncio.to_thread(ns.champion, "churn-2")
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "CandidateWins"
    assert status["decision"]["evidence"]["arms"]["candidate"]["metrics"]["ordered"][:2] == [4000, 800]


async def test_a_candidate_that_fails_altogether_by_a_metric_of_prometheus_is_rolled_back(
    ns: NamespaceFixture, shop: Shop, prometheus: Prometheus
) -> None:
    """Each of its first 30 units fails, which gateways and collector do not notice; no floor is awaited."""
    failed = ORDERED | {"name": "failed", "margin": {"absolute": 0.02}}
    long = {"minDuration": "1h", "maxDuration": "2h"}
    versions = await asyncio.to_thread(ns.two_versions)
    ns.cluster.apply(ns.experiment(*versions, metrics={"guardrails": [ERRORS, failed]}, decision=long))
    await asyncio.to_thread(ns.running)
    shop.experiment = ns.uid()
    shop.counts = {"control": ("30", "0"), "candidate": ("30", "30")}
    await asyncio.to_thread(prometheus.start)
    async with ns.users() as traffic:
        status = await asyncio.to_thread(ns.experiment_phase, "exp", "RolledBack", patience=60)
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "GuardrailBreached"
    assert status["decision"]["message"].startswith("guardrail failed breached: candidate - control = +1 ")
    assert status["decision"]["evidence"]["arms"]["candidate"]["metrics"]["failed"][:2] == [30, 30]
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


class BusyShop(Shop):
    """Counts from zero when it is opened: 200 visitors a second of each arm, of whom one in four orders."""

    def __init__(self, cluster: ClusterFixture, experiment: str) -> None:
        self.opened = time.monotonic()
        super().__init__(cluster)
        self.experiment = experiment

    def say(self) -> str:
        visitors = int(200 * (time.monotonic() - self.opened))
        self.counts = {arm: (str(visitors), str(visitors // 4)) for arm in ("control", "candidate")}
        return super().say()


GROWN = "sum by (arm) (increase({}[$elapsed]))"
INCREASE = {
    "count": GROWN.format(TABLE.format("visitors")),
    "sum": GROWN.format(TABLE.format("orders")),
    "every": "5s",
}


async def test_a_restart_of_the_metrics_target_changes_no_verdict(
    ns: NamespaceFixture, prometheus: Prometheus
) -> None:
    """It counts from zero again; what was counted before and after is added up, and nothing is decided."""
    metrics = {"primary": ORDERED | {"prometheus": INCREASE}, "guardrails": [ERRORS]}
    versions = await asyncio.to_thread(ns.two_versions)
    half = [{"percent": 50}]
    ns.cluster.apply(ns.experiment(*versions, ramp=half, metrics=metrics, decision=DECISION))
    await asyncio.to_thread(ns.running)
    shop = BusyShop(ns.cluster, ns.uid())
    await asyncio.to_thread(prometheus.start)
    try:
        async with ns.users() as traffic:
            before = await counted(ns, 4000)
            shop.close()
            await asyncio.to_thread(wait, lambda: prometheus.values("up") == ["0"], 30)
            shop = BusyShop(ns.cluster, ns.uid())
            after = await counted(ns, before + 4000)
    finally:
        shop.close()
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert after > before
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


async def counted(ns: NamespaceFixture, units: int) -> int:
    """Wait until the primary has so many units, and check that it runs on meanwhile, with its source well."""

    def ordered(status: Json) -> int:
        lines: list[Json] = [line for line in status.get("analysis", []) if line["metric"] == "ordered"]
        return lines[0].get("units", 0) if lines else 0

    def enough(status: Json) -> bool:
        assert "decision" not in status, status["decision"]
        assert "SourceReset" not in str(status.get("checks"))
        return ordered(status) >= units

    return ordered(await asyncio.to_thread(ns.cluster.until, "aexp", "exp", ns.name, enough, 60))


def queried_again(cluster: ClusterFixture) -> None:
    """Wait until the operator has asked Prometheus twice more, and got nothing."""
    answers = empty_answers(cluster)
    before = answers()
    wait(lambda: answers() >= before + 2, 30, state=answers)


def empty_answers(cluster: ClusterFixture) -> Callable[[], float]:
    """Return what reads the operator's count of answers without data."""
    wanted = 'assay_metric_queries_total{result="nodata",source="Prometheus"} '
    return lambda: next(
        (float(line[len(wanted) :]) for line in cluster.metrics("operator", 8081) if line.startswith(wanted)),
        0.0,
    )


async def test_a_guardrail_of_a_database_holds_while_it_has_no_numbers_and_then_rolls_back(
    ns: NamespaceFixture, warehouse: Warehouse
) -> None:
    """No Secret, wrong password, no row, no number, frozen, stopped; with the numbers of harm it ends."""
    metrics = {"guardrails": [ERRORS, REFUNDED]}
    versions = await asyncio.to_thread(ns.two_versions)
    ns.cluster.apply(ns.experiment(*versions, ramp=RAMP, metrics=metrics, decision=DECISION))
    await asyncio.to_thread(ns.running)
    uid = ns.uid()
    async with ns.users() as traffic:
        await holds(ns, "MetricUnavailable", "refunded: Secret warehouse: .*not found")
        secret(ns, warehouse.url("wrong"))
        await holds(
            ns, "MetricUnavailable", "refunded: the database cannot be reached: it refuses user or password"
        )
        warehouse.query("ALTER ROLE reader PASSWORD 'right'")
        secret(ns, warehouse.url("right"))
        await holds(ns, "NoData", "refunded: SQL has no data of any arm")
        warehouse.query(f"INSERT INTO refunds VALUES ('{uid}', 'control', 'NaN'), ('{uid}', 'candidate', 0)")
        await holds(ns, "SourceError", "refunded: arm control: .* not all numbers")
        with warehouse.frozen():
            await holds(
                ns,
                "MetricUnavailable",
                "refunded: the database (cannot be reached: timeout|did not answer within)",
            )
        warehouse.stop()
        await holds(ns, "MetricUnavailable", "refunded: the database cannot be reached: connection refused")
        warehouse.start()
        warehouse.refunds(uid, control=(4000, 40), candidate=(4000, 400))
        status = await asyncio.to_thread(ns.experiment_phase, "exp", "RolledBack", patience=60)
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "GuardrailBreached"
    assert "guardrail refunded breached: candidate - control" in status["decision"]["message"]
    assert ns.cluster.status("amodel", "churn", ns.name)["champion"] == "churn-1"


async def test_a_secret_that_the_administrator_did_not_name_is_not_read(ns: NamespaceFixture) -> None:
    """The API server refuses it, by the chart's role, and the Experiment says whom to ask."""
    metadata = {"name": "payroll", "namespace": ns.name}
    url = {"url": "postgresql+psycopg://reader:secret-word@payroll/db"}
    ns.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": url})
    other = REFUNDED | {"sql": REFUNDED["sql"] | {"urlSecretRef": {"name": "payroll", "key": "url"}}}
    versions = await asyncio.to_thread(ns.two_versions)
    ns.cluster.apply(ns.experiment(*versions, ramp=RAMP, metrics={"guardrails": [other]}, decision=DECISION))
    await asyncio.to_thread(ns.running)
    async with ns.users() as traffic:
        await holds(ns, "MetricUnavailable", r"refunded: Secret payroll: .*forbidden.*sources\.sql\.secrets")
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
