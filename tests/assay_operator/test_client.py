"""What the client asks of an API server, over HTTP: one key of one Secret, by name."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from kubernetes.aio import config

from assay_api import Ref
from assay_operator.kinds import SERVICE
from assay_operator.kube import ApiError, client
from assay_operator.kube.client import connected

WAREHOUSE = Ref("team", "warehouse")
URL = "postgresql+psycopg://reader@warehouse/shop"
CORE = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get"]},
        {
            "name": "services",
            "singularName": "service",
            "namespaced": True,
            "kind": "Service",
            "verbs": ["list"],
        },
    ],
}


KNOWN: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.4"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "groups": []},
    "/api/v1": CORE,
    "/api/v1/namespaces/team/secrets/warehouse": {
        "kind": "Secret",
        "apiVersion": "v1",
        "data": {"url": base64.b64encode(URL.encode()).decode()},
    },
}


def services(request: web.Request) -> dict[str, Any]:
    """One page of five Services."""
    namespace, first = request.path.split("/")[4], int(request.query.get("continue", 0))
    end = min(first + int(request.query["limit"]), 5)
    items = [{"metadata": {"name": f"{namespace}-{i}", "managedFields": [{}]}} for i in range(first, end)]
    metadata = {"resourceVersion": "41" if namespace == "team" else "42"}
    return {"items": items, "metadata": metadata | ({"continue": str(end)} if end < 5 else {})}


@pytest.fixture
async def requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Paths that an API server with one Secret was asked for; the default kubeconfig leads to it."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        if request.path.endswith("/services"):
            return web.json_response(services(request))
        if request.path in KNOWN:
            return web.json_response(KNOWN[request.path])
        words = f'secrets "{request.path.rpartition("/")[2]}" is forbidden'
        return web.json_response({"kind": "Status", "message": words}, status=403)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    cluster = {"server": f"http://127.0.0.1:{runner.addresses[0][1]}"}
    settings = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
        "clusters": [{"name": "it", "cluster": cluster}],
        "users": [{"name": "me", "user": {}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(settings))
    for module in (config, config.kube_config):
        monkeypatch.setattr(module, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    yield paths
    await runner.cleanup()


async def test_one_value_of_one_secret_is_read(requests: list[str]) -> None:
    async with connected(()) as cluster:
        assert await cluster.secret(WAREHOUSE, "url") == URL
    assert [path for path in requests if "secrets" in path] == ["/api/v1/namespaces/team/secrets/warehouse"]


@pytest.mark.parametrize(
    ("ref", "key", "status", "words"),
    [
        pytest.param(WAREHOUSE, "dsn", 404, "there is no key dsn", id="no such key"),
        pytest.param(Ref("team", "other"), "url", 403, "is forbidden", id="no right to it"),
    ],
)
@pytest.mark.usefixtures("requests")
async def test_a_secret_that_cannot_be_read_says_why(ref: Ref, key: str, status: int, words: str) -> None:
    async with connected(()) as cluster:
        with pytest.raises(ApiError, match=words) as caught:
            await cluster.secret(ref, key)
    assert caught.value.status == status


async def test_a_listing_of_several_pages_is_one_and_nobody_s_bookkeeping_is_kept(
    monkeypatch: pytest.MonkeyPatch, requests: list[str]
) -> None:
    monkeypatch.setattr(client, "PAGE", 2)
    async with connected(("team", "other")) as cluster:
        found, version = await cluster.listed(SERVICE)
    assert [body["metadata"] for body in found] == [
        {"name": f"{n}-{i}"} for n in ("team", "other") for i in range(5)
    ]
    assert {(body["apiVersion"], body["kind"]) for body in found} == {("v1", "Service")}
    assert version == 41
    assert requests.count("/api/v1/namespaces/team/services") == 3
