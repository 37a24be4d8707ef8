"""Envoy's protobuf messages, and what a response is joined from.

Serialized messages of one type may be joined: that is how protobuf merges them, lists growing and scalars
replaced. So every Model's share of a response is packed once, and a response is a join.
"""

import contextlib

import envoy.extensions.access_loggers.file.v3.file_pb2
import envoy.extensions.filters.http.buffer.v3.buffer_pb2
import envoy.extensions.filters.http.header_mutation.v3.header_mutation_pb2
import envoy.extensions.filters.http.health_check.v3.health_check_pb2
import envoy.extensions.filters.http.lua.v3.lua_pb2
import envoy.extensions.filters.http.router.v3.router_pb2
import envoy.extensions.filters.http.upstream_codec.v3.upstream_codec_pb2
import envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2
import envoy.extensions.http.early_header_mutation.header_mutation.v3.header_mutation_pb2
import envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2
import envoy.extensions.transport_sockets.tls.v3.tls_pb2
import envoy.extensions.upstreams.http.v3.http_protocol_options_pb2
import envoy.type.matcher.v3.http_inputs_pb2  # noqa: F401  all of them register types
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2, scoped_route_pb2
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool
from google.protobuf.message import Message

from assay_operator.xds.json_reader import PREFIX, encoded

Cluster = cluster_pb2.Cluster
Assignment = endpoint_pb2.ClusterLoadAssignment
Listener = listener_pb2.Listener
Routes = route_pb2.RouteConfiguration
Scope = scoped_route_pb2.ScopedRouteConfiguration
Request = discovery_pb2.DiscoveryRequest
Response = discovery_pb2.DiscoveryResponse

CDS, EDS, LDS, SRDS, RDS = (
    PREFIX + kind.DESCRIPTOR.full_name for kind in (Cluster, Assignment, Listener, Scope, Routes)
)


def chunk(message: Message) -> bytes:
    """Return a message as one resource of a response, to be joined with others."""
    packed = any_pb2.Any()
    packed.Pack(message, deterministic=True)
    return encoded(Response(resources=[packed]))


def _register_composite() -> None:
    """Teach the pool the composite cluster if the installed schema is older than it."""
    package = "envoy.extensions.clusters.composite.v3"
    pool = descriptor_pool.Default()
    with contextlib.suppress(KeyError):
        pool.FindMessageTypeByName(f"{package}.ClusterConfig")
        return
    file = descriptor_pb2.FileDescriptorProto(name="assay/composite.proto", package=package, syntax="proto3")
    config, entry = file.message_type.add(name="ClusterConfig"), file.message_type.add(name="Entry")
    kind = descriptor_pb2.FieldDescriptorProto
    entry.field.add(name="name", number=1, type=kind.TYPE_STRING, label=kind.LABEL_OPTIONAL)
    config.field.add(
        name="clusters",
        number=1,
        type=kind.TYPE_MESSAGE,
        label=kind.LABEL_REPEATED,
        type_name=f".{package}.Entry",
    )
    pool.Add(file)


_register_composite()
