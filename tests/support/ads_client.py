"""An Envoy without data plane: subscribes to everything, accepts everything, remembers what is in force."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

import grpc.aio
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2
from envoy.service.discovery.v3 import discovery_pb2

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
PREFIX = "type.googleapis.com/"
MESSAGES = {
    PREFIX + kind.DESCRIPTOR.full_name: kind
    for kind in (
        cluster_pb2.Cluster,
        endpoint_pb2.ClusterLoadAssignment,
        listener_pb2.Listener,
        scoped_route_pb2.ScopedRouteConfiguration,
        route_pb2.RouteConfiguration,
    )
}
CDS, EDS, LDS, SRDS, RDS = MESSAGES
PARTS = {CDS: EDS, SRDS: RDS}
"""A set that is always sent whole -> the kind whose members are asked for by name."""
OPTIONS = (("grpc.max_receive_message_length", 256 * 2**20),)
RECONNECT_SECONDS = 0.1


class Change(NamedTuple):
    """A resource that became another one; `old` or `new` is None where there was or is none."""

    at: float
    kind: str
    name: str
    old: bytes | None
    new: bytes | None


class FollowingGateway:
    """A gateway in a thread of its own; it connects again when the control plane comes back, as Envoy does.

    Attributes:
        changes: Every change of a resource since the start, in order.
        connections: How often a control plane has answered anew.
    """

    def __init__(self, port: int, node: str = "gateway-1") -> None:
        """Take the control plane's loopback port; nothing is done before `with`."""
        self._port, self._node = port, node
        self._resources: dict[str, dict[str, bytes]] = {kind: {} for kind in MESSAGES}
        self._versions: dict[str, str] = {}
        self._nonces: dict[str, str] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()), daemon=True)
        self.changes: list[Change] = []
        self.connections = 0

    def __enter__(self) -> Self:
        """Connect, for ever."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        self._over.set()
        self._thread.join(10)

    def route(self, model: str) -> str:
        """Return the routes of `namespace/name` as text; empty if there are none."""
        body = self._resources[RDS].get(model)
        return str(route_pb2.RouteConfiguration.FromString(body)) if body else ""

    def endpoints(self, model: str) -> dict[str, tuple[str, ...]]:
        """Return the addresses of each cluster of `namespace/name`."""
        ours = {name: body for name, body in self._resources[EDS].items() if name.startswith(f"{model}/")}
        return {name: tuple(_addresses(body)) for name, body in ours.items()}

    def changes_of(self, model: str, since: int = 0) -> list[Change]:
        """Return the changes of the routes and endpoints of `namespace/name`, from the index `since` on."""
        return [c for c in self.changes[since:] if c.name == model or c.name.startswith(f"{model}/")]

    async def _live(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.CancelledError):  # gone, or told to leave
                async with grpc.aio.insecure_channel(f"127.0.0.1:{self._port}", OPTIONS) as channel:
                    await self._follow(channel)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, channel: grpc.aio.Channel) -> None:
        call = channel.stream_stream(
            METHOD,
            request_serializer=discovery_pb2.DiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DiscoveryResponse.FromString,
        )()
        leaving = asyncio.create_task(self._leave(call))
        try:
            await self._begin(call)
            while (response := await call.read()) is not grpc.aio.EOF:
                await self._take(call, response)
        finally:
            leaving.cancel()

    async def _leave(self, call: Any) -> None:
        while not self._over.is_set():
            await asyncio.sleep(0.05)
        call.cancel()

    async def _begin(self, call: Any) -> None:
        """Subscribe; one that had a configuration before says which."""
        self._nonces.clear()
        for kind in (CDS, EDS, LDS, SRDS, RDS):
            if kind not in PARTS.values() or self._names.get(kind):
                await self._ask(call, kind)

    async def _ask(self, call: Any, kind: str) -> None:
        request = discovery_pb2.DiscoveryRequest(
            type_url=kind,
            resource_names=self._names.get(kind, ()),
            version_info=self._versions.get(kind, ""),
            response_nonce=self._nonces.get(kind, ""),
        )
        request.node.id = self._node
        await call.write(request)

    async def _take(self, call: Any, response: Any) -> None:
        kind = response.type_url
        self.connections += not self._nonces
        self._versions[kind], self._nonces[kind] = response.version_info, response.nonce
        found = dict(_named(kind, response.resources))
        self._keep(kind, found if kind not in PARTS.values() else {**self._resources[kind], **found})
        await self._ask(call, kind)
        if kind in PARTS:
            await self._follow_parts(call, PARTS[kind], tuple(sorted(_parts(kind, found))))

    async def _follow_parts(self, call: Any, kind: str, names: tuple[str, ...]) -> None:
        if names == self._names.get(kind, ()):
            return
        self._names[kind] = names
        self._keep(kind, {name: body for name, body in self._resources[kind].items() if name in set(names)})
        await self._ask(call, kind)

    def _keep(self, kind: str, now: dict[str, bytes]) -> None:
        before, moment = self._resources[kind], time.monotonic()
        for name in before.keys() | now.keys():
            if (old := before.get(name)) != (new := now.get(name)):
                self.changes.append(Change(moment, kind, name, old, new))
        self._resources[kind] = now


def _named(kind: str, packed: Iterable[Any]) -> Iterable[tuple[str, bytes]]:
    for resource in packed:
        message = MESSAGES[kind].FromString(resource.value)
        yield (message.cluster_name if kind == EDS else message.name), resource.value


def _parts(kind: str, found: Mapping[str, bytes]) -> Iterable[str]:
    """Return the names to ask for: the endpoints of EDS clusters, the routes of scopes."""
    for name, body in found.items():
        message = MESSAGES[kind].FromString(body)
        if kind == CDS and message.type == cluster_pb2.Cluster.EDS:
            yield message.eds_cluster_config.service_name or name
        elif kind == SRDS:
            yield message.route_configuration_name


def _addresses(body: bytes) -> Iterable[str]:
    for locality in endpoint_pb2.ClusterLoadAssignment.FromString(body).endpoints:
        for endpoint in locality.lb_endpoints:
            socket = endpoint.endpoint.address.socket_address
            yield f"{socket.address}:{socket.port_value}"
