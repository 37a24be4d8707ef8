"""HTTP/1.1 that does not wait for ever: a request's head has a deadline and a bound."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 10.0
HEAD_BYTES = 65_536


class PatientProtocol(HttpToolsProtocol):
    """Gives up connections that take too long, or too much, to say what they want."""

    _head: asyncio.TimerHandle | None = None
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Start waiting for the first request."""
        super().connection_made(transport)
        self._wait()

    def on_message_begin(self) -> None:
        """Start waiting for the rest of the head of a later request on the same connection."""
        if self._head is None:
            self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop waiting: what follows has bounds of its own."""
        self._stop()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is not complete."""
        if self._head is not None:
            self._received += len(data)
        super().data_received(data)
        if self._head is not None and self._received > HEAD_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting for somebody who has gone."""
        self._stop()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._received = 0
        self._head = self.loop.call_later(HEAD_SECONDS, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _stop(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _refuse(self, status: HTTPStatus) -> None:
        self._stop()
        if not self.transport.is_closing():
            head = f"HTTP/1.1 {status.value} {status.phrase}", "content-length: 0", "connection: close"
            self.transport.write("\r\n".join((*head, "", "")).encode())
            self.transport.close()
