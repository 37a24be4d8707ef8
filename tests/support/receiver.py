"""A server of the tests that takes, refuses, hangs, breaks off, dies and comes back on its port."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG, BREAK, GARBAGE = -1, -2, -3


class Receiver:
    """Answers with the next of `answers`, and 200 after them; keeps what it acknowledged, in order."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[bytes] = []
        self.tokens: list[str] = []
        self.attempts = 0
        self.woken = threading.Event()
        self.changed = threading.Condition()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/things"

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.handle(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def stop(self) -> None:
        if self.server is not None:
            self.woken.set()
            self.server.shutdown()
            self.thread.join()
            self.server.server_close()
            self.server = None

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        with self.changed:
            self.attempts += 1
            answer = self.answers.pop(0) if self.answers else 200
            if answer == 200:
                self.bodies.append(body)
                self.tokens.append(request.headers["Authorization"])
            self.changed.notify_all()
        if answer == HANG:
            self.woken.wait(30)
        elif answer == GARBAGE:
            request.wfile.write(b"\0\1 what is this\r\n\r\n")
        elif answer != BREAK:
            request.send_response(answer)
            request.send_header("Content-Length", "4")
            request.end_headers()
            request.wfile.write(b"text")
        request.close_connection = True

    def wait_for(self, condition: Callable[[], bool]) -> bool:
        """Wait until something holds, at the latest for half a minute."""
        with self.changed:
            return self.changed.wait_for(condition, 30)
