"""All of one Model's resources together: the unit in which the gateway is programmed."""

from typing import NamedTuple

from assay_operator.gateway.clusters import assignments, clusters
from assay_operator.gateway.hosts import path_routes, virtual_host
from assay_operator.gateway.route import ModelRoute
from assay_operator.gateway.values import Json


class Resources(NamedTuple):
    """What one Model adds to the configuration of every gateway."""

    clusters: tuple[Json, ...]
    assignments: tuple[Json, ...]
    host: Json
    paths: tuple[Json, ...]


def resources(route: ModelRoute) -> Resources:
    """Render a Model's route."""
    return Resources(
        tuple(clusters(route)), tuple(assignments(route)), virtual_host(route), tuple(path_routes(route))
    )
