"""What Prometheus sees of the relay."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Telemetry:
    """The metrics of one relay."""

    def __init__(self) -> None:
        """Start at zero, in a registry of its own."""
        registry = self.registry = CollectorRegistry()
        self.connected = Gauge(
            "assay_relay_connected", "Whether Envoy speaks to the operator: 1 or 0", registry=registry
        )
        self.waiting = Gauge(
            "assay_relay_waiting", "Whether Envoy is here and the operator away: 1 or 0", registry=registry
        )
        self.remembered = Gauge(
            "assay_relay_remembered_resources", "Resources that Envoy has accepted last", registry=registry
        )
        self.recalled = Counter(
            "assay_relay_recalled_resources", "Resources that Envoy got from memory", registry=registry
        )
        self.refused = Counter(
            "assay_relay_refused",
            "Responses from memory that Envoy refused, though it had accepted them once",
            registry=registry,
        )
        self.failures = Counter(
            "assay_relay_failures", "Times that the memory could not be written", registry=registry
        )
