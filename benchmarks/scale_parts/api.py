"""A lean client of the API server, so that the benchmark itself takes little of the processor."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

Body = dict[str, Any]
T = TypeVar("T")
OURS = "/apis/assay.dev/v1alpha1"
MERGE = "application/merge-patch+json"
CONFLICT = 409
AT_ONCE = 16


@dataclass(frozen=True)
class Api:
    """Requests by path; answers as plain dictionaries."""

    session: aiohttp.ClientSession

    async def create(self, path: str, body: Body) -> Body:
        """POST; what exists stays as it is."""
        async with self.session.post(path, json=body) as answer:
            return await _read(answer, fine=CONFLICT)

    async def merge(self, path: str, change: Body) -> Body:
        """PATCH, RFC 7386."""
        async with self.session.patch(
            path, data=json.dumps(change), headers={"content-type": MERGE}
        ) as answer:
            return await _read(answer)

    async def list(self, path: str, selector: str = "") -> Body:
        """GET all of a kind."""
        query = {"labelSelector": selector} if selector else {}
        async with self.session.get(path, params=query) as answer:
            return await _read(answer)

    async def watch(self, path: str, selector: str = "") -> AsyncIterator[tuple[str, Body]]:
        """Yield the type and the object of what is there and of what changes, for ever."""
        query = {"watch": "1", "labelSelector": selector}
        while True:  # the API server ends a watch now and then, and refuses one of a kind that is very new
            async with self.session.get(path, params=query, timeout=aiohttp.ClientTimeout()) as answer:
                if answer.ok:
                    async for line in _lines(answer):
                        event = json.loads(line)
                        yield event["type"], event["object"]
            await asyncio.sleep(0.1)


@asynccontextmanager
async def connected(state: Path) -> AsyncIterator[Api]:
    """Connect as the administrator of the control plane whose state that folder is."""
    pki = state / "pki"
    tls = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    tls.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    base = f"https://127.0.0.1:{(state / 'port').read_text().strip()}"
    connector = aiohttp.TCPConnector(ssl=tls, limit=64)
    async with aiohttp.ClientSession(base, connector=connector) as session:
        yield Api(session)


async def together(do: Callable[[T], Awaitable[object]], items: Iterable[T]) -> None:
    """Do it for every item, some at a time."""
    left = iter(items)

    async def work() -> None:
        for item in left:
            await do(item)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(work())


async def _lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield lines of any length."""
    part = b""
    async for chunk in answer.content.iter_any():
        *lines, part = (part + chunk).split(b"\n")
        for line in lines:
            yield line


async def _read(answer: aiohttp.ClientResponse, fine: int = 0) -> Body:
    if answer.status >= 400 and answer.status != fine:
        raise RuntimeError(f"{answer.method} {answer.url.path}: {answer.status} {await answer.text()}")
    found: Body = await answer.json()
    return found
