"""Requests, read once and cheaply; bodies are refused as soon as they are too large or of a wrong type.

A web framework's request looks its headers up one by one; here that would cost as much as the model does.
"""

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope

from assay_serving.problems import Problem

JSON = "application/json"
DEADLINE = b"x-envoy-expected-rq-timeout-ms"
_JSON_HEADER = (b"content-type", JSON.encode())


class RequestReader:
    """One request."""

    __slots__ = ("headers", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        """Take what the server gives."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive

    def header(self, name: bytes) -> str | None:
        """Return a header's value; names are in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def body(self, limit: int) -> bytes:
        """Return the body, with or without a declared length.

        Raises:
            Problem: 413, or 415 for a compressed body.
            ClientDisconnect: Nobody waits for an answer any more.
        """
        if (coding := self.header(b"content-encoding")) not in (None, "identity"):
            detail = f"content-encoding {coding!r} is not read here; send it plain"
            raise Problem(415, "content-encoding", detail)
        declared = self.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(limit)
        first, more = await self._chunk()
        if not more and len(first) <= limit:
            return first
        data = bytearray(first)
        while more and len(data) <= limit:
            chunk, more = await self._chunk()
            data += chunk
        if len(data) > limit:
            raise _too_large(limit)
        return bytes(data)

    async def _chunk(self) -> tuple[bytes, bool]:
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        return message.get("body", b""), message.get("more_body", False)

    def media_type(self, known: frozenset[str]) -> str:
        """Return the type of the body; JSON when the client says nothing.

        Raises:
            Problem: 415.
        """
        given = self.header(b"content-type")
        kind = given.partition(";")[0].strip().lower() if given else JSON
        if kind not in known:
            readable = ", ".join(sorted(known))
            raise Problem(415, "media-type", f"content-type {kind!r} is not read here; send {readable}")
        return kind

    def patience(self) -> float | None:
        """Return the seconds that the caller waits, as Envoy says."""
        given = self.headers.get(DEADLINE, b"")
        return int(given) / 1000 if given.isdigit() and int(given) else None


class Json(Response):
    """A good answer that is JSON already."""

    def __init__(self, body: bytes) -> None:
        """Take the body as it is; nothing else has to be worked out."""
        self.body, self.status_code, self.background = body, 200, None
        self.raw_headers = [(b"content-length", b"%d" % len(body)), _JSON_HEADER]


def _too_large(limit: int) -> Problem:
    return Problem(413, "body-too-large", f"the body has more than {limit} bytes")
