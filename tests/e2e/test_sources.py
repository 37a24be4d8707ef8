"""Metrics that others count: a Prometheus and a PostgreSQL that fail in every way, and then decide.

Nothing that they do is a failure of an arm: it holds and says why, and goes on when they are back.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from outside import WAREHOUSE_SECRET, Prometheus, Shop, Warehouse, services
from people import ERRORS, Place
from town import Json, Town, wait

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
REFUNDED = {
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
def outside(town: Town) -> Town:
    """The cluster, in which the servers have names."""
    town.apply(*services())
    return town


@pytest.fixture
def shop(outside: Town) -> Iterator[Shop]:
    opened = Shop(outside)
    yield opened
    opened.close()


@pytest.fixture
def prometheus(outside: Town, tmp_path: Path) -> Iterator[Prometheus]:
    """One that has not been started."""
    server = Prometheus(outside, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def warehouse(outside: Town) -> Iterator[Warehouse]:
    server = Warehouse(outside)
    yield server
    server.close()


def secret(place: Place, url: str) -> None:
    metadata = {"name": WAREHOUSE_SECRET, "namespace": place.namespace}
    place.town.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"url": url}})


async def holds(place: Place, reason: str, words: str) -> None:
    """Wait until it waits for this reason, and see that nothing else has come of it."""

    def says(status: Json) -> bool:
        said: Json = next((c for c in status.get("conditions", []) if c["type"] == "Progressing"), {})
        return said.get("reason") == reason and bool(re.search(words, said["message"]))

    status = await asyncio.to_thread(place.town.until, "aexp", "exp", place.namespace, says, 60)
    assert (status["phase"], status.get("step", 0)) == ("Running", 0)
    assert "decision" not in status
    assert status["checks"]["sources"].startswith(f"{words.split(':', maxsplit=1)[0]}: {reason}, ")
    champion = await asyncio.to_thread(place.town.status, "amodel", "churn", place.namespace)
    assert champion["champion"] == "churn-1"


async def test_a_primary_of_prometheus_holds_while_it_has_no_numbers_and_then_decides(
    place: Place, shop: Shop, prometheus: Prometheus
) -> None:
    """Away, empty, not a number, too slow, out of order; with the numbers of a winner it is promoted."""
    metrics = {"primary": ORDERED, "guardrails": [ERRORS]}
    versions = await asyncio.to_thread(place.two_versions)
    place.town.apply(place.experiment(*versions, ramp=RAMP, metrics=metrics, decision=DECISION))
    await asyncio.to_thread(place.running)
    shop.experiment = place.uid()
    async with place.users() as traffic:
        await holds(place, "MetricUnavailable", "ordered: Prometheus does not answer")
        await asyncio.to_thread(prometheus.start)
        await holds(place, "NoData", "ordered: Prometheus has no data of any arm")
        shop.counts = {arm: ("NaN", "NaN") for arm in ("control", "candidate")}
        await asyncio.to_thread(wait, lambda: prometheus.values("shop_visitors_total") == ["NaN", "NaN"], 30)
        await asyncio.to_thread(asked_again, place.town)
        await holds(place, "NoData", "ordered: Prometheus has no data of any arm")
        with prometheus.frozen():
            await holds(place, "MetricUnavailable", "ordered: Prometheus did not answer within 10 s")
        await holds(place, "NoData", "ordered")
        with prometheus.out_of_order():
            await holds(place, "MetricUnavailable", "ordered: Prometheus says 503")
        shop.counts = {"control": ("4000", "400"), "candidate": ("4000", "800")}
        status = await asyncio.to_thread(place.experiment_phase, "exp", "Promoted", patience=180)
        await asyncio.to_thread(place.champion, "churn-2")
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "CandidateWins"
    assert status["decision"]["evidence"]["arms"]["candidate"]["metrics"]["ordered"][:2] == [4000, 800]


async def test_a_candidate_that_fails_altogether_by_a_metric_of_prometheus_is_rolled_back(
    place: Place, shop: Shop, prometheus: Prometheus
) -> None:
    """Each of its first 30 units fails, which gateways and collector do not notice; no floor is awaited."""
    failed = ORDERED | {"name": "failed", "margin": {"absolute": 0.02}}
    long = {"minDuration": "1h", "maxDuration": "2h"}
    versions = await asyncio.to_thread(place.two_versions)
    place.town.apply(place.experiment(*versions, metrics={"guardrails": [ERRORS, failed]}, decision=long))
    await asyncio.to_thread(place.running)
    shop.experiment = place.uid()
    shop.counts = {"control": ("30", "0"), "candidate": ("30", "30")}
    await asyncio.to_thread(prometheus.start)
    async with place.users() as traffic:
        status = await asyncio.to_thread(place.experiment_phase, "exp", "RolledBack", patience=60)
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "GuardrailBreached"
    assert status["decision"]["message"].startswith("guardrail failed breached: candidate - control = +1 ")
    assert status["decision"]["evidence"]["arms"]["candidate"]["metrics"]["failed"][:2] == [30, 30]
    assert place.town.status("amodel", "churn", place.namespace)["champion"] == "churn-1"


class BusyShop(Shop):
    """Counts from zero when it is opened: 200 visitors a second of each arm, of whom one in four orders."""

    def __init__(self, town: Town, experiment: str) -> None:
        self.opened = time.monotonic()
        super().__init__(town)
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
    place: Place, prometheus: Prometheus
) -> None:
    """It counts from zero again; what was counted before and after is added up, and nothing is decided."""
    metrics = {"primary": ORDERED | {"prometheus": INCREASE}, "guardrails": [ERRORS]}
    versions = await asyncio.to_thread(place.two_versions)
    half = [{"percent": 50}]
    place.town.apply(place.experiment(*versions, ramp=half, metrics=metrics, decision=DECISION))
    await asyncio.to_thread(place.running)
    shop = BusyShop(place.town, place.uid())
    await asyncio.to_thread(prometheus.start)
    try:
        async with place.users() as traffic:
            before = await counted(place, 4000)
            shop.close()
            await asyncio.to_thread(wait, lambda: prometheus.values("up") == ["0"], 30)
            shop = BusyShop(place.town, place.uid())
            after = await counted(place, before + 4000)
    finally:
        shop.close()
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert after > before
    assert place.town.status("amodel", "churn", place.namespace)["champion"] == "churn-1"


async def counted(place: Place, units: int) -> int:
    """Wait until the primary has so many units, and check that it runs on meanwhile, with its source well."""

    def ordered(status: Json) -> int:
        lines: list[Json] = [line for line in status.get("analysis", []) if line["metric"] == "ordered"]
        return lines[0].get("units", 0) if lines else 0

    def enough(status: Json) -> bool:
        assert "decision" not in status, status["decision"]
        assert "SourceReset" not in str(status.get("checks"))
        return ordered(status) >= units

    return ordered(await asyncio.to_thread(place.town.until, "aexp", "exp", place.namespace, enough, 60))


def asked_again(town: Town) -> None:
    """Wait until the operator has asked Prometheus twice more, and got nothing."""
    answers = nothing_said(town)
    before = answers()
    wait(lambda: answers() >= before + 2, 30, told=answers)


def nothing_said(town: Town) -> Callable[[], float]:
    """Return what reads the operator's count of answers without data."""
    wanted = 'assay_metric_queries_total{result="nodata",source="Prometheus"} '
    return lambda: next(
        (float(line[len(wanted) :]) for line in town.metrics("operator", 8081) if line.startswith(wanted)),
        0.0,
    )


async def test_a_guardrail_of_a_database_holds_while_it_has_no_numbers_and_then_rolls_back(
    place: Place, warehouse: Warehouse
) -> None:
    """No Secret, wrong password, no row, no number, frozen, stopped; with the numbers of harm it ends."""
    metrics = {"guardrails": [ERRORS, REFUNDED]}
    versions = await asyncio.to_thread(place.two_versions)
    place.town.apply(place.experiment(*versions, ramp=RAMP, metrics=metrics, decision=DECISION))
    await asyncio.to_thread(place.running)
    uid = place.uid()
    async with place.users() as traffic:
        await holds(place, "MetricUnavailable", "refunded: Secret warehouse: .*not found")
        secret(place, warehouse.url("wrong"))
        await holds(
            place, "MetricUnavailable", "refunded: the database says: .*password authentication failed"
        )
        warehouse.query("ALTER ROLE reader PASSWORD 'right'")
        secret(place, warehouse.url("right"))
        await holds(place, "NoData", "refunded: SQL has no data of any arm")
        warehouse.query(f"INSERT INTO refunds VALUES ('{uid}', 'control', 'NaN'), ('{uid}', 'candidate', 0)")
        await holds(place, "SourceError", "refunded: arm control: .* not all numbers")
        with warehouse.frozen():
            await holds(place, "MetricUnavailable", "refunded: the database says: .*timeout")
        warehouse.stop()
        await holds(place, "MetricUnavailable", "refunded: the database says: .*refused")
        warehouse.start()
        warehouse.refunds(uid, control=(4000, 40), candidate=(4000, 400))
        status = await asyncio.to_thread(place.experiment_phase, "exp", "RolledBack", patience=60)
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert status["decision"]["reason"] == "GuardrailBreached"
    assert "guardrail refunded breached: candidate - control" in status["decision"]["message"]
    assert place.town.status("amodel", "churn", place.namespace)["champion"] == "churn-1"


async def test_a_secret_that_the_administrator_did_not_name_is_not_read(place: Place) -> None:
    """The API server refuses it, by the chart's role, and the Experiment says whom to ask."""
    metadata = {"name": "payroll", "namespace": place.namespace}
    url = {"url": "postgresql+psycopg://reader:secret-word@payroll/db"}
    place.town.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": url})
    other = REFUNDED | {"sql": REFUNDED["sql"] | {"urlSecretRef": {"name": "payroll", "key": "url"}}}
    versions = await asyncio.to_thread(place.two_versions)
    place.town.apply(
        place.experiment(*versions, ramp=RAMP, metrics={"guardrails": [other]}, decision=DECISION)
    )
    await asyncio.to_thread(place.running)
    async with place.users() as traffic:
        await holds(
            place, "MetricUnavailable", r"refunded: Secret payroll: .*forbidden.*sources\.sql\.secrets"
        )
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
