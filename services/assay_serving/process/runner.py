"""uvicorn that leaves politely: ask clients to go elsewhere, answer on for a while, then stop, exit code 0.

A Pod that is being deleted keeps getting requests until every node and gateway has learnt of it. uvicorn
alone closes its socket at the signal; BentoML's supervisor keeps the socket open with nobody behind it, and
loses what the kernel accepted there.
"""

import threading
from types import FrameType

import uvicorn
from starlette.types import ASGIApp as App
from starlette.types import Message, Receive, Scope, Send

from assay_serving.version import State

CLOSE = (b"connection", b"close")
GRACE_SECONDS = 30  # for requests that are still being answered when the listener closes


def closing(inner: App, state: State) -> App:
    """While draining, every answer asks the client to connect elsewhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        leaves = state.draining and scope["type"] == "http"
        await inner(scope, receive, _with_close(send) if leaves else send)

    return app


def _with_close(send: Send) -> Send:
    async def send_and_close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
        await send(message)

    return send_and_close


class DrainingServer(uvicorn.Server):
    """The first signal starts the drain, the second stops at once."""

    def __init__(self, config: uvicorn.Config, state: State, drain_seconds: float) -> None:
        """Serve until a signal comes."""
        super().__init__(config)
        self.state, self.drain_seconds = state, drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Start to drain; uvicorn's own would stop listening at once and raise the signal again."""
        if self.state.draining:
            self.should_exit = True
            return
        self.state.draining = True
        timer = threading.Timer(self.drain_seconds, setattr, (self, "should_exit", True))
        timer.daemon = True
        timer.start()


def server(app: App, state: State, host: str, port: int, drain_seconds: float) -> DrainingServer:
    """Return the server; `run()` blocks until it has drained."""
    config = uvicorn.Config(
        closing(app, state),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        date_header=False,
        backlog=2048,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return DrainingServer(config, state, drain_seconds)
