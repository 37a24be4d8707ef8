"""Bodies, within bounds: of bytes as sent and as unpacked, of time, and of all bodies together."""

import asyncio
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request

from assay_collector.problem import Problem, unavailable

GZIP = 16 + zlib.MAX_WBITS
SLICE = 65_536


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of a body is read: bytes (as sent and unpacked), and seconds until it must be complete."""

    bytes: int = 8 << 20
    seconds: float = 30.0


class Budget:
    """Bytes that all bodies under way may hold together, so that many slow senders can't fill the memory."""

    def __init__(self, most: int = 64 << 20) -> None:
        """Start empty."""
        self._left = most

    @contextmanager
    def held(self) -> Iterator["Share"]:
        """Give back in the end whatever a body took."""
        share = Share(self)
        try:
            yield share
        finally:
            self._left += share.taken

    def take(self, size: int) -> None:
        """Take bytes or refuse.

        Raises:
            Problem: 503; the bodies under way hold all there is.
        """
        if size > self._left:
            raise unavailable("too many bodies under way; try again")
        self._left -= size


class Share:
    """What one body holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        """Hold nothing yet."""
        self._budget = budget
        self.taken = 0

    def take(self, size: int) -> None:
        """Hold more."""
        self._budget.take(size)
        self.taken += size


async def read(request: Request, bounds: Bounds, share: Share) -> bytes:
    """Return the whole body, unpacked.

    Raises:
        Problem: 400 for a broken archive, 408 for a slow body, 413 for a large one, 415 for an unknown
            encoding, 503 when too much is under way.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Encoding {encoding[:40]!r}; send identity or gzip"
        )
    _declared_length(request, bounds)
    try:
        async with asyncio.timeout(bounds.seconds):
            raw = await _received(request, bounds, share)
    except TimeoutError as error:
        late = f"the body was not complete after {bounds.seconds:g} s"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, late, headers={"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise Problem(HTTPStatus.BAD_REQUEST, "the sender went away before the body was complete") from error
    return _unpacked(raw, bounds, share) if encoding == "gzip" else raw


def _declared_length(request: Request, bounds: Bounds) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > bounds.bytes:
        raise _too_large(bounds)


def _too_large(bounds: Bounds) -> Problem:
    detail = f"the body has more than {bounds.bytes} bytes; send several smaller ones"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail, headers={"Connection": "close"})


async def _received(request: Request, bounds: Bounds, share: Share) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > bounds.bytes:
            raise _too_large(bounds)
        share.take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _unpacked(raw: bytes, bounds: Bounds, share: Share) -> bytes:
    """Unpack slice by slice, so that a bomb is found out while it is still small."""
    stream = zlib.decompressobj(GZIP)
    parts: list[bytes] = []
    size, rest = 0, raw
    try:
        while rest and not stream.eof:
            part = stream.decompress(rest, SLICE)
            size += len(part)
            if size > bounds.bytes:
                raise _too_large(bounds)
            share.take(len(part))
            parts.append(part)
            rest = stream.unconsumed_tail
    except zlib.error as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is no gzip archive: {error}") from error
    if not stream.eof or stream.unused_data:
        raise Problem(HTTPStatus.BAD_REQUEST, "the gzip archive is cut off, or followed by something else")
    return b"".join(parts)
