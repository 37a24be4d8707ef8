"""What the control plane counts."""

from prometheus_client import Counter, Gauge, Histogram

CONNECTED = Gauge("assay_gateway_connected", "Gateways that are connected to the operator.")
NACKS = Counter(
    "assay_gateway_nacks", "Configurations of a Model that a gateway refused.", ["namespace", "model"]
)
PROGRAMMED = Histogram(
    "assay_gateway_programmed_seconds",
    "From a Model's new route until every gateway acknowledged it.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
