"""Requests to others over HTTP, each bounded in time and bytes; one session for all of them."""

import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import certifi

CONNECT_SECONDS = 1.0
_PLAIN = {"accept-encoding": "identity"}  # a few bytes could become gigabytes


class NoReplyError(Exception):
    """The server did not answer in time, or not within the bound."""


class TooLongError(NoReplyError):
    """The answer has more bytes than it may."""


@dataclass(frozen=True)
class Reply:
    """What a server answered.

    Attributes:
        status: Of HTTP.
        body: As it was on the wire.
        encoded: Whether the server has encoded it, unasked.
    """

    status: int
    body: bytes
    encoded: bool = False

    @property
    def success(self) -> bool:
        """Whether the status is one of success, and the body can be read."""
        return 200 <= self.status < 300 and not self.encoded  # noqa: PLR2004


@dataclass(frozen=True)
class Http:
    """Sends requests; redirects are not followed, cookies not kept, proxies not used."""

    session: aiohttp.ClientSession

    async def request(
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        longest: int,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Reply:
        """Send one request.

        Args:
            method: Of HTTP.
            url: Where to.
            seconds: How long the whole answer may take.
            longest: How many bytes its body may have.
            headers: Besides those of the session.
            more: `params`, `json` or `data`, as aiohttp takes them.

        Raises:
            NoReplyError: There was no such answer; the message says why.
        """
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(CONNECT_SECONDS, seconds))
        try:
            async with self.session.request(
                method, url, timeout=limits, headers=headers, allow_redirects=False, **more
            ) as answer:
                body = await _bounded(answer, longest)
                return Reply(answer.status, body, "content-encoding" in answer.headers)
        except TimeoutError as error:
            raise NoReplyError(f"no answer within {seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = getattr(error, "os_error", error)  # shorter than what aiohttp makes of it
            raise NoReplyError(f"{type(cause).__name__} {cause}".rstrip()) from error


async def _bounded(answer: aiohttp.ClientResponse, longest: int) -> bytes:
    body = b""
    async for part in answer.content.iter_any():
        body += part
        if len(body) > longest:
            raise TooLongError(f"an answer of more than {longest} bytes")
    return body


@asynccontextmanager
async def http() -> AsyncIterator[Http]:
    """Keep connections until the end."""
    trusted = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE") or certifi.where())
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusted),
        headers=_PLAIN,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:
        yield Http(session)


def pod_url(address: str, port: int, path: str) -> str:
    """Return where a pod answers; an IPv6 address stands in brackets."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}{path}"
