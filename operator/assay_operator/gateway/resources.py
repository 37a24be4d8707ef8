"""All of one Model's resources together: the unit in which the gateway is programmed."""

from typing import NamedTuple

from assay_operator.gateway import clusters, hosts
from assay_operator.gateway.route import ModelRoute
from assay_operator.gateway.values import Json


class Resources(NamedTuple):
    """What one Model adds to the configuration of every gateway."""

    clusters: tuple[Json, ...]
    assignments: tuple[Json, ...]
    scope: Json
    routes: Json


def resources(route: ModelRoute) -> Resources:
    """Render a Model's route."""
    return Resources(
        tuple(clusters.clusters(route)),
        tuple(clusters.assignments(route)),
        hosts.scope(route),
        hosts.routes(route),
    )
