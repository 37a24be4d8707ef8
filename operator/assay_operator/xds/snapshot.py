"""Everything that a gateway should have at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from assay_api import Ref
from assay_operator.gateway import ROUTES, elsewhere, unknown
from assay_operator.xds.messages import Routes, VirtualHost, chunk, encoded, parse
from assay_operator.xds.parcel import Host
from assay_operator.xds.section import Section

HEAD = encoded(parse(VirtualHost, elsewhere()))
TAIL = encoded(parse(VirtualHost, {"routes": [unknown()]}))
# With validation a route to a cluster that is not there is refused; without it, it would answer 503.
FRAME = encoded(parse(Routes, {"name": ROUTES, "validate_clusters": True}))


@dataclass(frozen=True)
class Snapshot:
    """Immutable, shared by all gateways.

    Attributes:
        generation: Grows with every change, in this process.
        clusters: Also those which only routes of an older generation use.
        endpoints: Of each cluster that has endpoints.
        hosts: The routes of each Model.
        versions: The version of each Model's parcel in it.
    """

    generation: int
    clusters: Section[str, bytes]
    endpoints: Section[str, bytes]
    hosts: Section[Ref, Host]
    versions: Mapping[Ref, str]

    @cached_property
    def routes(self) -> bytes:
        """The route configuration of all Models, as one resource."""
        hosts = [*self.hosts.values()]
        rest = VirtualHost.FromString(b"".join((HEAD, *(host.paths for host in hosts), TAIL)))
        models = b"".join(host.host for host in hosts)
        return chunk(Routes.FromString(FRAME + models + encoded(Routes(virtual_hosts=[rest]))))
