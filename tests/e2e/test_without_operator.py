"""No operator, and everything else is replaced: callers notice nothing; then the operator comes back.

ASSAY_ABSENCE_SECONDS asks for more than one replacement of every pod.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from people import SAFE, Place
from town import SYSTEM, Json, Town, wait

SECONDS = float(os.environ.get("ASSAY_ABSENCE_SECONDS", "0"))
GATEWAY = "app.kubernetes.io/component=gateway"
PREDICTOR = "assay.dev/role=predictor"
ENDLESS = {
    "ramp": [{"percent": 50}],
    "metrics": SAFE,
    "decision": {"minDuration": "1h", "maxDuration": "2h"},
}
TWO = {"serving": {"replicas": 2, "timeout": "3s"}}


@contextmanager
def without_operator(town: Town) -> Iterator[None]:
    """Have no pod of the operator while the block runs."""
    deployment = ("-n", SYSTEM, "deployment/assay-operator")
    found = town.get("deployment", "assay-operator", SYSTEM)
    assert found is not None
    town.read_operator_log()
    town.kubectl("scale", *deployment, "--replicas=0")
    label = "app.kubernetes.io/component=operator"
    try:
        wait(lambda: not town.all("pods", SYSTEM, label), 60, told=lambda: "the operator is still there")
        yield
    finally:
        town.kubectl("scale", *deployment, f"--replicas={found['spec']['replicas']}")
        town.kubectl("rollout", "status", *deployment, "--timeout=120s")


def ready(pods: list[Json]) -> set[str]:
    """Return the names of those that are ready and stay."""
    return {
        pod["metadata"]["name"]
        for pod in pods
        if "deletionTimestamp" not in pod["metadata"]
        and any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))
    }


def replace_each(town: Town, namespace: str, label: str, *how: str) -> None:
    """Delete one pod after another, each when there are as many ready ones as before."""
    old = ready(town.all("pods", namespace, label))
    for name in sorted(old):
        town.kubectl("delete", "pod", name, "-n", namespace, "--wait=false", *how)
        wait(partial(others, town, namespace, label, name, len(old)), 90, told=partial(str, name))


def others(town: Town, namespace: str, label: str, name: str, count: int) -> bool:
    """Return whether so many are ready beside one."""
    return len(ready(town.all("pods", namespace, label)) - {name}) >= count


async def test_every_pod_is_replaced_while_there_is_no_operator_and_no_request_fails(place: Place) -> None:
    """Predictors and gateways, at least once each, while an Experiment runs."""
    place.town.apply(place.model("plain", **TWO))
    await asyncio.to_thread(place.champion, "churn-1")
    rollout = {"strategy": "Experiment", "rollbackWindow": "1h", "experiment": ENDLESS}
    place.town.apply(place.model("boosted", **TWO, rollout=rollout))
    await asyncio.to_thread(place.running, "churn-2-g2", patience=90)
    await asyncio.to_thread(ready_predictors, place, 4)
    begin = time.monotonic()
    async with place.users() as traffic:
        with without_operator(place.town):
            while True:
                await asyncio.to_thread(replace_each, place.town, place.namespace, PREDICTOR)
                await asyncio.to_thread(replace_each, place.town, SYSTEM, GATEWAY)
                await traffic.more(100)
                if time.monotonic() - begin >= SECONDS:
                    break
        await asyncio.to_thread(place.running, "churn-2-g2")
        await traffic.more(100)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()
    assert traffic.ledger.moves_until(0) == []


def ready_predictors(place: Place, count: int) -> None:
    """Wait until so many pods of all versions together are ready."""
    wait(lambda: len(ready(place.town.all("pods", place.namespace, PREDICTOR))) == count, 90)


async def test_a_pod_that_is_killed_costs_at_most_the_requests_that_it_had(place: Place) -> None:
    """SIGKILL of every process of one of two predictors, and a forced delete, without an operator."""
    place.town.apply(place.model("plain", **TWO))
    await asyncio.to_thread(place.champion, "churn-1")
    await asyncio.to_thread(ready_predictors, place, 2)
    force = ("--force", "--grace-period=0")
    async with place.users() as traffic:
        with without_operator(place.town):
            await asyncio.to_thread(replace_each, place.town, place.namespace, PREDICTOR, *force)
            await traffic.more(200)
    assert traffic.ledger.failed == 0, traffic.ledger.complaint()


@pytest.mark.parametrize("operator", [True, False], ids=["with an operator", "without an operator"])
async def test_a_gateway_that_is_deleted_by_force_fails_what_it_was_answering(
    place: Place, capsys: pytest.CaptureFixture[str], *, operator: bool
) -> None:
    """Kubernetes needs a moment to send callers elsewhere; the bar is a second of half of them."""
    place.town.apply(place.model("plain"))
    await asyncio.to_thread(place.champion, "churn-1")
    force = ("--force", "--grace-period=0")
    async with place.users() as traffic:
        if operator:
            await asyncio.to_thread(replace_each, place.town, SYSTEM, GATEWAY, *force)
        else:
            with without_operator(place.town):
                await asyncio.to_thread(replace_each, place.town, SYSTEM, GATEWAY, *force)
        await traffic.more(100)
    with capsys.disabled():
        print(f"\n{traffic.ledger.failed} of {traffic.ledger.asked} failed: two gateways deleted by force")
    assert traffic.ledger.failed <= 25, traffic.ledger.complaint()
