"""The window to the gateways: serves what `gateway` renders, and knows what is in force."""

from assay_operator.xds.gateways import Gateways
from assay_operator.xds.nop import NoGateways
from assay_operator.xds.server import AdsServer

__all__ = ["AdsServer", "Gateways", "NoGateways"]
