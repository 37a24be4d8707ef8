"""How far this training is, for whoever asks on a port of the pod: numbers and nothing else."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

Tell = Callable[[dict[str, Any]], None]


def untold(news: dict[str, Any]) -> None:
    """Nobody wants to know."""


@contextmanager
def served(port: int) -> Iterator[Tell]:
    """Answer `GET /progress` with the last news for the length of the block; port 0 answers nobody."""
    if not port:
        yield untold
        return
    news: dict[str, Any] = {"stage": "Reading"}
    try:
        server = ThreadingHTTPServer(("", port), _handler(news))
    except OSError:  # another worker of this pod has it
        yield untold
        return
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield news.update
    finally:
        server.shutdown()
        server.server_close()


def _handler(news: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5

        def do_GET(self) -> None:
            body = json.dumps(dict(news)).encode() if self.path == "/progress" else b""
            self.send_response(200 if body else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    return Handler
