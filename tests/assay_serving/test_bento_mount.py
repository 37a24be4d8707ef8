"""Our own paths need not wait for BentoML, and do not fall with it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from assay_serving.process.bento_mount import BentoMount


def app(text: str) -> Starlette:
    async def answer(_: Request) -> PlainTextResponse:
        return PlainTextResponse(text)

    return Starlette(routes=[Route("/{path:path}", answer)])


@asynccontextmanager
async def alive(mount_app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Run the lifespan as a server does."""
    inbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    life = asyncio.ensure_future(mount_app({"type": "lifespan"}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(mount_app), base_url="http://x") as client:
        yield client
    await inbox.put({"type": "lifespan.shutdown"})
    assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
    await life


def mount_app(mount: Callable[[], ASGIApp]) -> BentoMount:
    return BentoMount(app("ours"), mount)


async def test_our_paths_are_answered_while_the_other_app_is_imported() -> None:
    imported = threading.Event()

    def mount() -> ASGIApp:
        assert imported.wait(10)
        return app("theirs")

    async with alive(mount_app(mount)) as client:
        assert (await client.get("/predict")).text == "ours"
        waiting = asyncio.create_task(client.get("/docs.json"))
        assert (await client.get("/v2/health/ready")).text == "ours"
        assert not waiting.done()
        imported.set()
        assert (await waiting).text == "theirs"


async def test_nothing_is_imported_before_somebody_asks_for_it_and_then_once() -> None:
    times: list[int] = []

    def mount() -> ASGIApp:
        times.append(1)
        return app("theirs")

    async with alive(mount_app(mount)) as client:
        for path in ("/predict", "/v2", "/livez", "/metrics", "/favicon.ico", "/static", "/healthz/x"):
            assert (await client.get(path)).text == "ours"
        assert times == []
        for path in ("/", "/docs.json", "/healthz", "/static_content/index.css"):
            assert (await client.get(path)).text == "theirs"
        assert times == [1]


async def test_our_paths_do_not_fall_with_the_other_app() -> None:
    def mount() -> ASGIApp:
        raise ImportError("it is broken")

    async with alive(mount_app(mount)) as client:
        with pytest.raises(ImportError):
            await client.get("/docs.json")
        assert (await client.get("/predict")).text == "ours"


async def test_a_stop_during_the_import_is_clean() -> None:
    begun, imported = threading.Event(), threading.Event()

    def mount() -> ASGIApp:
        begun.set()
        assert imported.wait(10)
        return app("theirs")

    async with alive(mount_app(mount)) as client:
        waiting = asyncio.create_task(client.get("/docs.json"))
        assert await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        imported.set()
