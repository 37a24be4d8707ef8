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
from assay_operator.kube import ApiError
from assay_operator.kube.client import connected

WAREHOUSE = Ref("team", "warehouse")
URL = "postgresql+psycopg://reader@warehouse/shop"
CORE = {
    "kind": "APIResourceList",
    "groupVersion": "v1",
    "resources": [
        {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get"]}
    ],
}


@pytest.fixture
async def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """Paths that an API server with one Secret was asked for; the default kubeconfig leads to it."""
    paths: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        paths.append(request.path)
        match request.path:
            case "/version":
                return web.json_response({"major": "1", "minor": "34", "gitVersion": "v1.34.4"})
            case "/api":
                return web.json_response({"kind": "APIVersions", "versions": ["v1"]})
            case "/apis":
                return web.json_response({"kind": "APIGroupList", "groups": []})
            case "/api/v1":
                return web.json_response(CORE)
            case "/api/v1/namespaces/team/secrets/warehouse":
                data = {"url": base64.b64encode(URL.encode()).decode()}
                secret: dict[str, Any] = {"kind": "Secret", "apiVersion": "v1", "data": data}
                return web.json_response(secret)
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


async def test_one_value_of_one_secret_is_read(asked: list[str]) -> None:
    async with connected(()) as cluster:
        assert await cluster.secret(WAREHOUSE, "url") == URL
    assert [path for path in asked if "secrets" in path] == ["/api/v1/namespaces/team/secrets/warehouse"]


@pytest.mark.parametrize(
    ("ref", "key", "status", "words"),
    [
        pytest.param(WAREHOUSE, "dsn", 404, "there is no key dsn", id="no such key"),
        pytest.param(Ref("team", "other"), "url", 403, "is forbidden", id="no right to it"),
    ],
)
@pytest.mark.usefixtures("asked")
async def test_a_secret_that_cannot_be_read_says_why(ref: Ref, key: str, status: int, words: str) -> None:
    async with connected(()) as cluster:
        with pytest.raises(ApiError, match=words) as caught:
            await cluster.secret(ref, key)
    assert caught.value.status == status
