"""Everything that a gateway should have at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from assay_api import Ref
from assay_operator.xds.versioned_resources import VersionedResources


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable, shared by all gateways.

    Attributes:
        generation: Grows with every change, in this process.
        clusters: Also those which only routes of an older generation use.
        endpoints: Of each cluster that has endpoints.
        scopes: Where each Model's routes are found.
        routes: Of each Model.
        versions: The version of each Model's bundle in it.
    """

    generation: int
    clusters: VersionedResources
    endpoints: VersionedResources
    scopes: VersionedResources
    routes: VersionedResources
    versions: Mapping[Ref, str]
