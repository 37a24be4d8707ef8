"""BentoML's app beside ours: imported when somebody asks for one of its own pages, and not before.

To import BentoML takes twice as long as everything else together, and half of the memory, and none of our
own routes needs it. So they are answered as soon as the model is loaded, by our app alone; `mount` puts it
into BentoML's service, whose pages (`/`, `/docs.json`, `/schema.json`, `/healthz`) wait the first time.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from starlette.types import ASGIApp as App
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)

PAGES = frozenset({"/", "/docs.json", "/healthz", "/schema.json"})
FOLDER = "/static_content/"


class BentoMount:
    """Answers all but BentoML's own pages without its middleware, which costs more than we do."""

    def __init__(self, ours: App, mount: Callable[[], App]) -> None:
        """Take our app, and what imports BentoML and mounts our app in its own."""
        self.ours, self.mount = ours, mount
        self.mounted: asyncio.Task[App] | None = None
        self.stack = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and (scope["path"] in PAGES or scope["path"].startswith(FOLDER)):
            theirs = await self._theirs()
            await theirs(scope, receive, send)
        else:
            await self.ours(scope, receive, send)

    async def _theirs(self) -> App:
        """A page whose asker has left goes on being prepared for the next one."""
        if self.mounted is None:
            self.mounted = asyncio.create_task(self._mount())
            self.mounted.add_done_callback(_log_failure)
        return await asyncio.shield(self.mounted)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self.mounted:
            await asyncio.wait([self.mounted])
        await self.stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _mount(self) -> App:
        app: Any = await asyncio.to_thread(self.mount)
        await self.stack.enter_async_context(app.router.lifespan_context(app))
        mounted: App = app
        return mounted


def _log_failure(mounted: asyncio.Task[App]) -> None:
    if not mounted.cancelled() and (error := mounted.exception()):
        log.error("BentoML's own pages are not served", exc_info=error)
