"""The little of Envoy's discovery protocol that one must understand to remember it."""

from typing import NamedTuple

from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2, wrappers_pb2

LARGEST = 256 * 2**20  # a response has the clusters of all Models in it
SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
METHOD = "StreamAggregatedResources"
PREFIX = "type.googleapis.com/envoy.config."
CDS = f"{PREFIX}cluster.v3.Cluster"
EDS = f"{PREFIX}endpoint.v3.ClusterLoadAssignment"
SRDS = f"{PREFIX}route.v3.ScopedRouteConfiguration"
RDS = f"{PREFIX}route.v3.RouteConfiguration"
PARTS = {CDS: EDS, SRDS: RDS}  # a response of the second has some, and nothing says which have gone
OF_A_WHOLE = frozenset(PARTS.values())


class Request(NamedTuple):
    """What Envoy asks for, or says to a response.

    Attributes:
        version: What it has; empty if it has nothing of this kind.
        refusal: Why it refuses a response; None if it does not.
    """

    kind: str
    version: str
    names: frozenset[str]
    nonce: str
    refusal: str | None
    node: str


class Response(NamedTuple):
    """Resources of one kind, each packed and under its name."""

    kind: str
    version: str
    nonce: str
    resources: dict[str, bytes]


def request(raw: bytes) -> Request:
    """Read a request.

    Raises:
        google.protobuf.message.DecodeError: This is none.
    """
    message = discovery_pb2.DiscoveryRequest.FromString(raw)
    refusal = message.error_detail.message if message.HasField("error_detail") else None
    names = frozenset(message.resource_names)
    return Request(
        message.type_url, message.version_info, names, message.response_nonce, refusal, message.node.id
    )


def response(raw: bytes) -> Response:
    """Read a response.

    Raises:
        google.protobuf.message.DecodeError: This is none.
    """
    message = discovery_pb2.DiscoveryResponse.FromString(raw)
    packed = {_name(each): each.SerializeToString(deterministic=True) for each in message.resources}
    return Response(message.type_url, message.version_info, message.nonce, packed)


def encoded(response: Response) -> bytes:
    """Write a response."""
    resources = [any_pb2.Any.FromString(each) for each in response.resources.values()]
    message = discovery_pb2.DiscoveryResponse(
        type_url=response.kind, version_info=response.version, nonce=response.nonce, resources=resources
    )
    return bytes(message.SerializeToString(deterministic=True))


def _name(resource: any_pb2.Any) -> str:
    """Every kind of resource has its name as field 1, as a StringValue has its value."""
    return str(wrappers_pb2.StringValue.FromString(resource.value).value)
