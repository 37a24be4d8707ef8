"""One connected Envoy: what it asked for, what it was sent and what it has accepted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from assay_api import Ref
from assay_operator.gateway import ROUTES, survivors
from assay_operator.xds.messages import CDS, EDS, LDS, RDS, Cluster, Response, chunk, encoded, parse
from assay_operator.xds.section import Section
from assay_operator.xds.snapshot import Snapshot

KINDS = frozenset({CDS, EDS, LDS, RDS})
NOBODY: frozenset[str] = frozenset()
RECOLLECTION_SECONDS = 1.0
TAIL = 400  # a refusal starts with a dump of the resource; the reason is at its end


class RefusedError(Exception):
    """Envoy does not accept a response; it goes on with what it has."""

    def __init__(self, kind: str, reason: str) -> None:
        """Keep the end of the reason."""
        self.reason = reason[-TAIL:].strip()
        super().__init__(f"{kind.rsplit('.', 1)[1]}: {self.reason}")


class Stream:
    """Programs one snapshot after the other: clusters, endpoints, listener, routes; each acknowledged.

    So a route never names a cluster that is not ready, and changes that come meanwhile are joined in the
    next snapshot.

    Attributes:
        node: The gateway's name.
        serving: It had routes before, or has them now: it answers requests.
        versions: Of each Model in the last snapshot that it has accepted as a whole; None before the first.
        generation: Of that snapshot.
        refusal: Why it did not accept the newest one.
        survivors: Clusters it had when it came, that are in no snapshot and yet in its routes.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[Any]], listener: tuple[str, bytes]) -> None:
        """Know nothing about it yet.

        Args:
            write: Sends an encoded response.
            listener: The version of the listener, and the listener as a resource.
        """
        self.node = ""
        self.serving = False
        self.versions: Mapping[Ref, str] | None = None
        self.generation = -1
        self.refusal: RefusedError | None = None
        self.survivors: Mapping[str, bytes] = {}
        self.wake = asyncio.Event()
        self._write = write
        self._listener = listener
        self._attempted = -1
        self._asked = False
        self._names: dict[str, frozenset[str]] = {}
        self._nonce: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._clusters: Section[str, bytes] = Section()
        self._endpoints: dict[str, bytes] = {}
        self._count = 0
        self._returning = False

    def receive(self, request: Any) -> None:
        """Take a subscription, an acknowledgement or a refusal."""
        kind, nonce = request.type_url, request.response_nonce
        self.node = self.node or request.node.id
        if kind not in KINDS or nonce not in ("", self._nonce.get(kind, "")):
            return  # it answers an older response; the answer to the newest one is on its way
        if not nonce and request.version_info:
            self._returning = self._returning or (kind == CDS and not request.version_info.startswith("0-"))
            self.serving = self.serving or kind == RDS
        if nonce:
            self._answers[kind] = request.error_detail.message if request.HasField("error_detail") else ""
        self._subscribe(kind, frozenset(request.resource_names))
        self.wake.set()

    def due(self, snapshot: Snapshot) -> bool:
        """Return whether there is anything to tell it."""
        return self._asked or self._attempted < snapshot.generation

    async def program(self, snapshot: Snapshot) -> None:
        """Bring it to a snapshot; return when it has acknowledged all of it.

        Raises:
            RefusedError: It accepts some part of it not; it may have taken the parts before.
        """
        self._attempted = snapshot.generation
        try:
            await self._send_clusters(snapshot)
            await self._send(LDS, *self._listener, when=lambda: LDS in self._names)
            await self._send_routes(snapshot)
        except RefusedError as error:
            self.refusal = error
            raise
        self.refusal, self.serving = None, True
        self.versions, self.generation = snapshot.versions, snapshot.generation

    async def _send_clusters(self, snapshot: Snapshot) -> None:
        """Send clusters and endpoints.

        A running Envoy acknowledges new clusters only when they are ready to be used, for which it needs
        their endpoints; one that starts acknowledges them before. So nothing is awaited in between.
        """
        await self._until(lambda: CDS in self._names)
        await self._recollect(snapshot)
        new, old = snapshot.clusters, self._clusters
        version = f"{new.version}+{len(self.survivors)}"
        if self._sent.get(CDS) == version:
            await self._send_endpoints(snapshot, ())
            return
        await self._post(CDS, version, b"".join((*new.values(), *self.survivors.values())))
        await self._send_endpoints(snapshot, [name for name in new if old.get(name) != new.get(name)])
        await self._accepted(CDS, version)
        self._clusters = new

    async def _recollect(self, snapshot: Snapshot) -> None:
        """Find out what an Envoy that comes from another control plane still routes to."""
        if not self._returning:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECOLLECTION_SECONDS):
                await self._until(lambda: EDS in self._names)
        self._returning = False
        packed = {
            cluster["name"]: chunk(parse(Cluster, cluster))
            for cluster in survivors(sorted(self._names.get(EDS, NOBODY)))
        }
        self.survivors = {name: value for name, value in packed.items() if name not in snapshot.clusters}

    def forget(self) -> None:
        """Let go of clusters that only routes from before used."""
        self._asked = self._asked or bool(self.survivors)
        self.survivors = {}
        self.wake.set()

    async def _send_endpoints(self, snapshot: Snapshot, changed: Iterable[str]) -> None:
        """Send the endpoints that are new, and those that a changed cluster waits for."""
        self._asked = False  # whoever asks from here on may have missed them
        new = snapshot.endpoints
        names = {*new.news(self._endpoints), *(name for name in changed if name in new)}
        if not names:
            return
        packed = {name: new.get(name) or b"" for name in names}
        await self._until(lambda: names <= self._names.get(EDS, NOBODY) or self._refused(CDS))
        if not self._refused(CDS):
            for name in names:  # whether it takes them is open until it says so
                self._endpoints.pop(name, None)
            await self._post(EDS, new.version, b"".join(packed.values()))
            await self._accepted(EDS, new.version)
            self._endpoints |= packed

    async def _send_routes(self, snapshot: Snapshot) -> None:
        version = snapshot.hosts.version
        if self._sent.get(RDS) != version:
            await self._send(
                RDS, version, snapshot.routes, when=lambda: ROUTES in self._names.get(RDS, NOBODY)
            )

    async def _send(self, kind: str, version: str, body: bytes, when: Callable[[], bool]) -> None:
        if self._sent.get(kind) != version:
            await self._until(when)
            await self._post(kind, version, body)
            await self._accepted(kind, version)

    async def _post(self, kind: str, version: str, body: bytes) -> None:
        self._count += 1
        self._nonce[kind] = nonce = str(self._count)
        self._answers.pop(kind, None)
        self._sent.pop(kind, None)
        await self._write(body + encoded(Response(version_info=version, type_url=kind, nonce=nonce)))

    async def _accepted(self, kind: str, version: str) -> None:
        await self._until(lambda: kind in self._answers)
        if reason := self._answers[kind]:
            raise RefusedError(kind, reason)
        self._sent[kind] = version

    def _refused(self, kind: str) -> bool:
        return bool(self._answers.get(kind))

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.wake.clear()
            await self.wake.wait()

    def _subscribe(self, kind: str, names: frozenset[str]) -> None:
        old = self._names.get(kind)
        if old == names:
            return
        self._names[kind] = names
        if kind == EDS:
            self._asked = self._asked or not names <= (old or frozenset())
            self._endpoints = {name: packed for name, packed in self._endpoints.items() if name in names}
