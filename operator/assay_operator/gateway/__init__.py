"""Pure: which arm a unit gets, written as Envoy resources. `xds` serves them."""

from assay_operator.gateway.bootstrap import bootstrap
from assay_operator.gateway.clusters import survivors
from assay_operator.gateway.hosts import READY_PATH, elsewhere, unknown
from assay_operator.gateway.listener import ROUTES, Edge, listener
from assay_operator.gateway.resources import Resources, resources
from assay_operator.gateway.route import ArmRoute, Backend, Endpoint, ModelRoute, Split
from assay_operator.gateway.values import Json

__all__ = [
    "READY_PATH",
    "ROUTES",
    "ArmRoute",
    "Backend",
    "Edge",
    "Endpoint",
    "Json",
    "ModelRoute",
    "Resources",
    "Split",
    "bootstrap",
    "elsewhere",
    "listener",
    "resources",
    "survivors",
    "unknown",
]
