"""Everything that a gateway should have at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass

from assay_api import Ref
from assay_operator.xds.section import Section


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Immutable, shared by all gateways.

    Attributes:
        generation: Grows with every change, in this process.
        clusters: Also those which only routes of an older generation use.
        endpoints: Of each cluster that has endpoints.
        scopes: Where each Model's routes are found.
        routes: Of each Model.
        versions: The version of each Model's parcel in it.
    """

    generation: int
    clusters: Section
    endpoints: Section
    scopes: Section
    routes: Section
    versions: Mapping[Ref, str]
