"""Pure: which arm a unit gets, written as Envoy resources. `xds` serves them."""

from assay_operator.gateway.bootstrap import bootstrap
from assay_operator.gateway.clusters import survivors
from assay_operator.gateway.listener import READY_PATH, Edge, listeners
from assay_operator.gateway.programmed import Programmed
from assay_operator.gateway.resources import Resources, resources
from assay_operator.gateway.route import ArmRoute, Backend, Endpoint, ModelRoute, Shadow, Split
from assay_operator.gateway.tls import Tls, certificate
from assay_operator.gateway.values import Json

__all__ = [
    "READY_PATH",
    "ArmRoute",
    "Backend",
    "Edge",
    "Endpoint",
    "Json",
    "ModelRoute",
    "Programmed",
    "Resources",
    "Shadow",
    "Split",
    "Tls",
    "bootstrap",
    "certificate",
    "listeners",
    "resources",
    "survivors",
]
