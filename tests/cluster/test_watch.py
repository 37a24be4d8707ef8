"""What the operator watches, on a real API server: what comes, and what does not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api_objects import Objects
from api_server import ApiServer
from kubernetes.aio import client, config
from kubernetes.aio.dynamic import DynamicClient

from assay_api.names import MODEL as MODEL_LABEL
from assay_operator.handlers.kind_watch import KindWatch
from assay_operator.kinds import SERVICE, Kind
from assay_operator.kube import Body
from assay_operator.kube.client import ApiCluster

PATIENCE = 30
PORTS = {"ports": [{"port": 80}]}


@pytest.fixture
async def cluster(api_server: ApiServer) -> AsyncIterator[ApiCluster]:
    """What the operator reads."""
    settings = client.Configuration()
    await config.load_kube_config(str(api_server.kubeconfig), client_configuration=settings)
    async with client.ApiClient(settings) as api:
        yield ApiCluster(await DynamicClient(api), ())


def service(name: str, **labels: str) -> dict[str, Any]:
    return {"kind": "Service", "metadata": {"name": name, "labels": labels}, "spec": PORTS}


@asynccontextmanager
async def followed(
    cluster: ApiCluster, kind: Kind, namespace: str, since: int
) -> AsyncIterator[asyncio.Queue[Any]]:
    """Follow a kind; what is observed is put into a queue."""
    found: asyncio.Queue[Any] = asyncio.Queue()

    def observe(body: Body, deleted: bool) -> None:  # noqa: FBT001
        found.put_nowait((body["kind"], body["metadata"]["name"], deleted))

    task = asyncio.create_task(
        KindWatch(cluster, kind, namespace, observe, lambda *_: found.put_nowait("listed")).run(since)
    )
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def following(queue: asyncio.Queue[Any], count: int) -> list[Any]:
    return [await asyncio.wait_for(queue.get(), PATIENCE) for _ in range(count)]


async def test_objects_of_ours_come_and_go_and_others_are_not_sent(
    cluster: ApiCluster, objects: Objects
) -> None:
    _, since = await cluster.listed(SERVICE)
    async with followed(cluster, SERVICE, objects.namespace, since) as queue:
        objects.create(service("theirs"))
        objects.create(service("ours", **{MODEL_LABEL: "churn"}))
        assert await following(queue, 1) == [("Service", "ours", False)]
        objects.delete("Service", "theirs")
        objects.delete("Service", "ours")
        assert await following(queue, 1) == [("Service", "ours", True)]
        assert queue.empty()


async def test_nothing_is_lost_between_a_listing_and_a_watch_that_begins_later(
    cluster: ApiCluster, objects: Objects
) -> None:
    _, since = await cluster.listed(SERVICE)
    for number in range(20):
        objects.create(service(f"s-{number:02}", **{MODEL_LABEL: "churn"}))
    async with followed(cluster, SERVICE, objects.namespace, since) as queue:
        found = await following(queue, 20)
    assert [name for _, name, _ in found] == [f"s-{number:02}" for number in range(20)]
