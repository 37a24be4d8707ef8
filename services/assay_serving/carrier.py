"""BentoML's app beside ours: imported while the first predictions are already answered.

To import BentoML takes twice as long as everything else together, and none of our own routes needs it. So
they are answered as soon as the model is loaded; BentoML's routes wait for it, the first seconds only.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from starlette.types import ASGIApp as App
from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)


class Carrier:
    """Answers our own paths without the way through BentoML's middleware, which costs more than they do."""

    def __init__(self, ours: App, paths: frozenset[str], mount: Callable[[], App]) -> None:
        """Take our app and its paths, and what imports BentoML and mounts our app in its own."""
        self.ours, self.paths, self.mount = ours, paths, mount
        self.mounted: asyncio.Task[App] | None = None
        self.stack = AsyncExitStack()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self.mounted is None or scope["path"] in self.paths or scope["path"].startswith("/v2"):
            await self.ours(scope, receive, send)
        else:
            others = await asyncio.shield(self.mounted)
            await others(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.mounted = asyncio.create_task(self._mount())
        self.mounted.add_done_callback(_told)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await asyncio.wait([self.mounted])
        await self.stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    async def _mount(self) -> App:
        app: Any = await asyncio.to_thread(self.mount)
        await self.stack.enter_async_context(app.router.lifespan_context(app))
        mounted: App = app
        return mounted


def _told(mounted: asyncio.Task[App]) -> None:
    if not mounted.cancelled() and (error := mounted.exception()):
        log.error("BentoML's own routes are not served", exc_info=error)
