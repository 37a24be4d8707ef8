"""One connected Envoy: what it asked for, what it was sent and what it has accepted."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from assay_api import Ref
from assay_operator.gateway import survivors
from assay_operator.xds.json_reader import encoded, parse
from assay_operator.xds.messages import CDS, EDS, LDS, RDS, SRDS, Cluster, Response, chunk
from assay_operator.xds.snapshot import Snapshot
from assay_operator.xds.versioned_resources import VersionedResources

KINDS = frozenset({CDS, EDS, LDS, SRDS, RDS})
NO_NAMES: frozenset[str] = frozenset()
RECOLLECTION_SECONDS = 1.0
TAIL = 400  # a refusal starts with a dump of the resource; the reason is at its end


Whole = tuple[str, VersionedResources, Mapping[str, bytes]]


class RefusedError(Exception):
    """Envoy does not accept a response; it goes on with what it has."""

    def __init__(self, kind: str, reason: str) -> None:
        """Keep the end of the reason."""
        self.kind = kind
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

    def __init__(self, write: Callable[[bytes], Awaitable[Any]], listeners: tuple[str, bytes]) -> None:
        """Know nothing about it yet.

        Args:
            write: Sends an encoded response.
            listeners: Their version, and the listeners as resources.
        """
        self.node = ""
        self.serving = False
        self.versions: Mapping[Ref, str] | None = None
        self.generation = -1
        self.refusal: RefusedError | None = None
        self.survivors: Mapping[str, bytes] = {}
        self.wake = asyncio.Event()
        self._write = write
        self._listeners = listeners
        self._attempted = -1
        self._requested: set[str] = set()
        self._names: dict[str, frozenset[str]] = {}
        self._nonce: dict[str, str] = {}
        self._answers: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        self._whole: dict[str, VersionedResources] = {}
        self._parts: dict[str, dict[str, bytes]] = {EDS: {}, RDS: {}}
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
            self.serving = self.serving or kind == LDS
        if nonce:
            refusal = request.error_detail.message if request.HasField("error_detail") else ""
            self._answers.setdefault(kind, refusal)  # what follows the answer only changes the names
        self._subscribe(kind, frozenset(request.resource_names))
        self.wake.set()

    def due(self, snapshot: Snapshot) -> bool:
        """Return whether there is anything to tell it."""
        return bool(self._requested) or self._attempted < snapshot.generation

    async def program(self, snapshot: Snapshot) -> None:
        """Bring it to a snapshot; return when it has acknowledged all of it.

        Raises:
            RefusedError: It accepts some part of it not; it may have taken the parts before.
        """
        self._attempted = snapshot.generation
        self._requested.discard(CDS)
        try:
            await self._until(lambda: CDS in self._names)
            await self._recollect(snapshot)
            await self._send_pair((CDS, snapshot.clusters, self.survivors), (EDS, snapshot.endpoints))
            await self._send_listeners()
            await self._send_pair((SRDS, snapshot.scopes, {}), (RDS, snapshot.routes))
        except RefusedError as error:
            self.refusal = error
            self._requested.clear()  # it would be refused again
            raise
        self.refusal, self.serving = None, True
        self.versions, self.generation = snapshot.versions, snapshot.generation

    def retry(self) -> None:
        """Try again what was refused, though nothing has changed here."""
        self._attempted = -1
        self.wake.set()

    async def _send_pair(
        self,
        whole: tuple[str, VersionedResources, Mapping[str, bytes]],
        parts: tuple[str, VersionedResources],
    ) -> None:
        """Send clusters with their endpoints, or scopes with their routes.

        A running Envoy acknowledges new clusters only when they are ready to be used, for which it needs
        their endpoints; one that starts acknowledges them before. So nothing is awaited in between.
        """
        kind, resources, extra = whole
        version, old = f"{resources.version}+{len(extra)}", self._whole.get(kind, VersionedResources())
        if self._sent.get(kind) == version:
            await self._send_parts(*parts, (), kind)
            return
        await self._until(lambda: kind in self._names)
        await self._post(kind, version, b"".join((*resources.values(), *extra.values())))
        await self._send_parts(
            *parts, [name for name in resources if old.get(name) != resources.get(name)], kind
        )
        await self._accepted(kind, version)
        self._whole[kind] = resources

    async def _send_parts(
        self, kind: str, resources: VersionedResources, changed: Collection[str], whole: str
    ) -> None:
        """Send the parts that are new, and those that a changed whole waits for, when Envoy asks for them."""
        if self._whole.get(kind) is resources and not changed and kind not in self._requested:
            return
        self._requested.discard(kind)  # whoever asks from here on may have missed them
        names = {*resources.news(self._parts[kind]), *(name for name in changed if name in resources)}
        if not names:
            self._whole[kind] = resources
            return
        await self._until(lambda: names <= self._names.get(kind, NO_NAMES) or self._refused(whole))
        if self._refused(whole):
            return
        packed = {name: resources.get(name) or b"" for name in sorted(names)}
        self._whole.pop(kind, None)
        for name in names:  # whether it takes them is open until it says so
            self._parts[kind].pop(name, None)
        await self._post(kind, resources.version, b"".join(packed.values()))
        await self._accepted(kind, resources.version)
        self._parts[kind] |= packed
        self._whole[kind] = resources

    async def _send_listeners(self) -> None:
        version, packed = self._listeners
        if self._sent.get(LDS) != version:
            await self._until(lambda: LDS in self._names)
            await self._post(LDS, version, packed)
            await self._accepted(LDS, version)

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
            for cluster in survivors(sorted(self._names.get(EDS, NO_NAMES)))
        }
        self.survivors = {name: value for name, value in packed.items() if name not in snapshot.clusters}

    def forget(self) -> None:
        """Let go of clusters that only routes from before used."""
        if self.survivors:
            self._requested.add(CDS)
        self.survivors = {}
        self.wake.set()

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
        if kind in self._parts:
            if not names <= (old or NO_NAMES):
                self._requested.add(kind)
            self._parts[kind] = {name: part for name, part in self._parts[kind].items() if name in names}
